//go:build !linux

package control

import "net"

// checkPeer relies on the modes of the socket and its directory.
func checkPeer(net.Conn) error { return nil }
