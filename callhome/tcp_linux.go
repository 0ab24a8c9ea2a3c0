package callhome

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tcpEstablished is TCP_ESTABLISHED of the kernel's tcp_states.h.
const tcpEstablished = 1

var errNoTCP = errors.New("not a TCP connection")

// tcpState asks the kernel for the state of the connection.
func (c *callConn) tcpState() (tcpState, error) {
	var state tcpState
	err := c.control(func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		state = tcpState{
			established: info.State == tcpEstablished,
			segmentsIn:  info.Segs_in,
			window:      info.Snd_wnd,
			probesOut:   info.Probes,
			unsent:      info.Notsent_bytes > 0,
		}
		return nil
	})
	return state, err
}

// setUserTimeout makes the kernel end the connection when what was sent stays
// unacknowledged for that long (RFC 5482). It reports whether the system can.
func (c *callConn) setUserTimeout(d time.Duration) bool {
	return c.control(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/time.Millisecond))
	}) == nil
}

func (c *callConn) control(f func(fd int) error) error {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return errNoTCP
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if inner := raw.Control(func(fd uintptr) { err = f(int(fd)) }); inner != nil {
		return inner
	}
	return err
}

// isOutOfResources tells an Accept that failed for want of file descriptors
// or memory from one that will fail for ever.
func isOutOfResources(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ECONNABORTED)
}
