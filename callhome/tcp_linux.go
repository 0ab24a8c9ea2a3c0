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
			waiting:     info.Unacked > 0 || info.Notsent_bytes > 0 || info.Probes > 0,
			silence:     time.Duration(min(info.Last_ack_recv, info.Last_data_recv)) * time.Millisecond,
		}
		return nil
	})
	return state, err
}

// setKeepAlive sets the time between keepalive probes that are not answered, and
// how many may be. It is best effort, like what follows: TCP dies without, later.
func (c *callConn) setKeepAlive(interval time.Duration, count int) {
	_ = c.control(func(fd int) error {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(interval))
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, count)
	})
}

// setKeepAliveIdle sets the silence after which the first probe is sent. Linux
// starts the timer anew, counting from the last segment that came: on a
// connection that has been silent for longer the probe goes out at once.
func (c *callConn) setKeepAliveIdle(idle time.Duration) {
	_ = c.control(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds(idle))
	})
}

func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

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
