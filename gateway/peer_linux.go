package gateway

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// States of the kernel's tcp_states.h.
const (
	tcpClose     = 7 // reset
	tcpCloseWait = 8 // the other side has closed
)

// peerOf asks the kernel what has become of the other side of a connection.
// What was sent before it closed may still wait to be read.
func peerOf(conn net.Conn) peer {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return peerThere
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return peerThere
	}
	state := peerThere
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		switch {
		case err != nil:
		case info.State == tcpCloseWait:
			state = peerClosed
		case info.State == tcpClose:
			state = peerReset
		}
	})
	return state
}
