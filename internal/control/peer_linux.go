package control

import (
	"cmp"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// checkPeer refuses everybody but root and the user that the gateway runs as.
// The socket's mode does so already; this holds even if someone widens it.
func checkPeer(c net.Conn) error {
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("%w: this is no unix socket", ErrRefused)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("%w: who is asking cannot be found out: %v", ErrRefused, err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || credErr != nil {
		return fmt.Errorf("%w: who is asking cannot be found out: %v", ErrRefused, cmp.Or(err, credErr))
	}
	return allowUID(cred.Uid, uint32(os.Geteuid()))
}

func allowUID(peer, own uint32) error {
	if peer == 0 || peer == own {
		return nil
	}
	return fmt.Errorf("%w: you are uid %d: only root and uid %d, which the gateway runs as, may control it", ErrRefused, peer, own)
}
