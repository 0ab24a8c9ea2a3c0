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
			waiting:     info.Unacked > 0 || info.Notsent_bytes > 0,
			silence:     time.Duration(min(info.Last_ack_recv, info.Last_data_recv)) * time.Millisecond,
		}
		return nil
	})
	return state, err
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
