package devicesim

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// dialTimeout bounds one attempt to connect.
const dialTimeout = 10 * time.Second

// Run calls home until ctx ends, again and again: Reconnect after each call,
// or failed attempt, has ended. It returns when everything that it started
// has ended, with the error of ctx, or, where Reconnect is negative, with that
// of the only call.
func (d *Device) Run(ctx context.Context) error {
	for {
		err := d.callHome(ctx)
		if d.o.Reconnect < 0 {
			return err
		}
		if !sleep(ctx, jitter(d.o.Reconnect)) {
			return ctx.Err()
		}
	}
}

// jitter spreads d by a tenth to either side, so that a fleet that lost its
// peer at one moment does not come back at one.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *Device) callHome(ctx context.Context) error {
	if d.pace != nil {
		if err := d.pace(ctx); err != nil {
			return err
		}
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	if d.o.Source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.o.Source, 0))
	}
	conn, err := dialer.DialContext(ctx, "tcp", d.o.Connect)
	if err != nil {
		d.count(func(n *Calls) { n.Failed++ })
		d.o.Log.Warn("call failed", "device", d.o.Name, "error", err)
		return fmt.Errorf("%s calling %s: %w", d.o.Name, d.o.Connect, err)
	}
	return d.Serve(ctx, conn)
}

// Serve is one call over a connection that is there already. It closes the
// connection, and returns when all that it started has ended: when ctx ends or
// the peer leaves, with the reason if there is one to tell.
func (d *Device) Serve(ctx context.Context, conn net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &call{device: d, line: newLine(conn, &d.gate), ctx: ctx, cancel: cancel}
	defer c.line.Close()
	defer context.AfterFunc(ctx, func() { _ = c.line.Close() })()
	defer d.track(c)()
	d.o.Log.Info("call connected", "device", d.o.Name, "remote", conn.RemoteAddr().String())
	d.o.OnConnect(conn)
	err := c.serve()
	if err == io.EOF {
		err = nil
	}
	d.o.Log.Info("call ended", "device", d.o.Name, "reason", reason(err))
	d.o.OnDisconnect(err)
	return err
}

func reason(err error) string {
	if err == nil {
		return "closed by the peer"
	}
	return err.Error()
}

// call is one connection, from TCP to its end.
type call struct {
	device *Device
	line   *line
	ctx    context.Context // ends with the call
	cancel context.CancelFunc
	// busy is held while the device does something, if BusyBlocksAll is set.
	busy sync.Mutex
	wg   sync.WaitGroup // for the sessions
}

// drop ends the call abruptly.
func (c *call) drop() {
	c.line.reset()
	c.cancel()
}

func (c *call) serve() error {
	if c.device.o.TLS != nil {
		return c.serveTLS()
	}
	return c.serveSSH()
}

func (c *call) loggedIn(user string) {
	c.device.count(func(n *Calls) { n.LoggedIn++ })
	c.device.o.Log.Info("logged in", "device", c.device.o.Name, "user", user)
}

// turn returns the lock that sessions take in turns.
func (c *call) turn() sync.Locker {
	if c.device.o.BusyBlocksAll {
		return &c.busy
	}
	return noTurns{}
}

// noTurns is a lock for sessions that do not wait for each other.
type noTurns struct{}

func (noTurns) Lock()   {}
func (noTurns) Unlock() {}
