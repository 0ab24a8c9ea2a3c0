package callhome

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/internal/netconf"
)

// Session is one NETCONF session with a device. Send and Next may each be used
// by one goroutine at a time, the other methods by any.
type Session struct {
	link    *Link
	channel channel
	conn    *netconf.Conn
	hello   *netconf.Hello
	framing netconf.Framing
	shared  bool // hello's capabilities are one of helloSets
	settled time.Time

	// sending is held while something is written: the control session has two
	// senders, and x/crypto does not take a CloseWrite during a Write.
	sending sync.Mutex
	// reading is held while the channel is read: when a channel ends, x/crypto
	// wakes one reader only.
	reading sync.Mutex
	// lastTraffic is the time since the link is up, by the monotonic clock.
	lastTraffic atomic.Int64
	outstanding atomic.Int64
	closeOnce   sync.Once
	closed      chan struct{}
}

// channel is what carries a session: an SSH channel, or a TLS connection.
type channel interface {
	io.ReadWriteCloser
	CloseWrite() error
}

func newSession(l *Link, c channel) *Session {
	s := &Session{link: l, channel: c, closed: make(chan struct{})}
	s.conn = netconf.NewConn(stream{s})
	return s
}

// within starts the session within its time, or closes it.
func (s *Session) within(ctx context.Context, start func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = s.channel.Close() })
	err := ctx.Err()
	if err == nil {
		err = start()
	}
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		_ = s.Close()
	}
	return err
}

var errNoHello = errors.New("the device ended the session before its hello")

// exchangeHellos sends our hello without waiting for the device's: a
// libnetconf2 server with one channel that lacks the client's hello stops
// answering on all others.
func (s *Session) exchangeHellos() (err error) {
	own := s.link.hello.hello()
	sent := s.conn.WriteDocument(own.Document())
	// What the device still said says more than a write that failed: in TLS
	// 1.3 it may be why it refuses our certificate.
	s.hello, err = netconf.ReadHello(s.conn.Reader)
	switch {
	case err == nil && sent == nil:
	case errors.Is(err, io.EOF):
		return errNoHello
	case sent != nil && alertOf(err) == 0:
		return fmt.Errorf("cannot send the hello: %w", describeNetwork(sent))
	default:
		return fmt.Errorf("no valid hello from the device: %w", err)
	}
	if s.framing, err = netconf.CommonFraming(own, s.hello); err != nil {
		return fmt.Errorf("the hellos do not match: %w", err)
	}
	s.conn.SetFraming(s.framing)
	s.settled = time.Now().Add(settleTime)
	s.touch()
	return nil
}

// drain reads what nobody wants, so that it cannot fill the channel's window.
// io.Discard would hold 8 KiB for each of ten thousand idle devices.
func (s *Session) drain(r io.Reader) bool {
	return s.link.spawn(func() {
		var unwanted [64]byte
		for {
			if _, err := r.Read(unwanted[:]); err != nil {
				return
			}
		}
	})
}

// Hello returns the device's hello on this session, its session-id included.
func (s *Session) Hello() *Hello { return s.hello }

// Framing returns how messages are delimited on the session: chunked when both
// sides have base:1.1.
func (s *Session) Framing() Framing { return s.framing }

// Send writes one whole message; its Body is read to the end. After an error
// part of it may have been written, so the session is closed: a device never
// gets half an RPC and then another.
func (s *Session) Send(m *Message) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.settle()
	s.touch()
	if m.Head.Kind == netconf.KindRPC {
		s.outstanding.Add(1)
		s.link.outstanding.Add(1)
	}
	if err := s.conn.Write(m); err != nil {
		_ = s.Close()
		s.forgetOutstanding() // once more: the session may have been closed before it was counted
		return err
	}
	return nil
}

// settleTime is the least time between our hello and the first request. yuma123
// (netconfd 2.13) does not look at a request that it reads together with the
// hello before something else arrives. It is waited for only by a manager that
// is faster than that.
const settleTime = 100 * time.Millisecond

func (s *Session) settle() {
	wait := time.Until(s.settled)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closed:
	}
}

func (s *Session) sendDocument(doc []byte) error {
	return s.Send(&netconf.Message{
		Head: netconf.Head{Kind: netconf.KindRPC},
		Size: int64(len(doc)),
		Body: bytes.NewReader(doc),
	})
}

// Next returns the next message from the device, as netconf.Reader.Next does:
// its Body is valid until the next call and streams. It returns io.EOF when
// the device has ended the session.
func (s *Session) Next() (*Message, error) {
	m, err := s.conn.Next()
	if err != nil {
		return nil, err
	}
	s.touch()
	if m.Head.Kind == netconf.KindReply {
		s.answered()
	}
	return m, nil
}

// answered counts a reply, unless nothing was asked.
func (s *Session) answered() {
	if s.outstanding.Add(-1) < 0 {
		s.outstanding.Add(1)
		return
	}
	s.link.outstanding.Add(-1)
}

// CloseSend tells the device that nothing more will be sent; what it still
// sends can be read.
func (s *Session) CloseSend() error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.channel.CloseWrite()
}

// Close ends the session: the device sees its channel close. A Next that waits
// returns when the device has confirmed that or the link has ended; what the
// device still sends until then is read and dropped, because a libnetconf2
// server that cannot write to one channel answers on none.
func (s *Session) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closed)
		s.forgetOutstanding()
		err = s.channel.Close()
		s.drain(rest{s})
	})
	return err
}

func (s *Session) forgetOutstanding() { s.link.outstanding.Add(-s.outstanding.Swap(0)) }

// stream is the session's channel as its messages are read from and written
// to: it ends when the session is closed.
type stream struct{ *Session }

func (s stream) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	n, err := s.channel.Read(p)
	if s.isClosed() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (s stream) Write(p []byte) (int, error) { return s.channel.Write(p) }
func (s stream) Close() error                { return s.Session.Close() }

// rest is what a closed session's device still sends.
type rest struct{ *Session }

func (s rest) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	return s.channel.Read(p)
}

func (s *Session) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func (s *Session) touch() { s.lastTraffic.Store(int64(time.Since(s.link.since))) }

// idle returns the time since the last NETCONF message either way.
func (s *Session) idle() time.Duration {
	return time.Since(s.link.since) - time.Duration(s.lastTraffic.Load())
}
