package devicesim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/internal/netconf"
)

// session is one NETCONF session on a byte stream, whatever carries it.
type session struct {
	device *Device
	id     uint32
	user   string
	since  time.Time
	stream io.ReadWriteCloser
	conn   *netconf.Conn // on the stream
	up     atomic.Bool   // hellos are exchanged
	// turn is held while a message is received and answered.
	turn sync.Locker
	// ctx ends with the session; finish ends it.
	ctx    context.Context
	finish context.CancelFunc

	framing netconf.Framing // after the hellos

	wg           sync.WaitGroup // for the subscription
	subscription atomic.Pointer[subscription]

	held *netconf.Message // a reply that the next one overtakes

	writing sync.Mutex // one message at a time: replies and notifications
}

// serveSession speaks NETCONF on a stream until the client, the operation
// close-session, another session, or the end of the stream ends it. It returns
// when the stream is closed and what the session held is released.
func (d *Device) serveSession(ctx context.Context, stream io.ReadWriteCloser, user string, turn sync.Locker) error {
	s := &session{device: d, user: user, since: time.Now(), stream: stream, conn: netconf.NewConn(stream), turn: turn}
	s.ctx, s.finish = context.WithCancel(ctx)
	d.add(s)
	err := s.serve()
	s.finish()
	d.remove(s)        // before the client can see that the session is over
	_ = stream.Close() // before the wait: a heartbeat may be stuck in a write
	s.wg.Wait()
	if s.up.Load() {
		d.o.OnSession(s.id, false)
	}
	return err
}

func (s *session) serve() error {
	if s.device.o.ClosedHello {
		return nil
	}
	if s.device.o.SilentHello {
		_, err := io.Copy(io.Discard, s.stream)
		return err
	}
	if err := s.exchangeHellos(); err != nil {
		return err
	}
	s.up.Store(true)
	s.device.o.OnSession(s.id, true)
	for s.ctx.Err() == nil {
		m, err := s.conn.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		if err := s.handle(m); err != nil {
			return err
		}
	}
	return nil
}

// handle receives and answers one message. Whatever is not a sound rpc ends
// the session, as it does on real devices.
func (s *session) handle(m *netconf.Message) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	doc, err := s.receive(m)
	if err != nil {
		return err
	}
	head, rpc, err := parseRPC(doc)
	if err != nil {
		return fmt.Errorf("malformed message: %w", err)
	}
	if s.ctx.Err() != nil {
		return nil // killed before the message came
	}
	r, fault := s.perform(head, rpc)
	if err := s.send(head, r, fault); err != nil {
		return fmt.Errorf("write reply: %w", err)
	}
	if fault == nil && r.then != nil {
		r.then()
	}
	return nil
}

// receive reads the whole message.
func (s *session) receive(m *netconf.Message) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(m.Body, s.device.o.MaxMessage+1))
	s.device.o.OnMessage(s.id, doc)
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	if int64(len(doc)) > s.device.o.MaxMessage {
		return nil, fmt.Errorf("message is longer than %d bytes", s.device.o.MaxMessage)
	}
	return doc, nil
}

func parseRPC(doc []byte) (netconf.Head, *node, error) {
	checker := netconf.NewChecker()
	if _, err := checker.Write(doc); err != nil {
		return netconf.Head{}, nil, err
	}
	head, err := checker.Finish()
	if err != nil {
		return netconf.Head{}, nil, err
	}
	if head.Kind != netconf.KindRPC {
		return netconf.Head{}, nil, errors.New("it is no rpc")
	}
	rpc, err := parse(doc)
	return head, rpc, err
}

// answer returns the rpc-reply.
func answer(head netconf.Head, r reply, fault *netconf.RPCError) *netconf.Message {
	switch {
	case fault != nil:
		return document(netconf.ErrorReply(head, *fault))
	case r.stream != nil:
		open, end := envelope(head)
		return &netconf.Message{Size: -1, Body: io.MultiReader(bytes.NewReader(open), r.stream, bytes.NewReader(end))}
	case r.content != nil:
		open, end := envelope(head)
		return document(bytes.Join([][]byte{open, r.content, end}, nil))
	default:
		return document(netconf.OKReply(head))
	}
}

// envelope returns the start and the end of the reply to an rpc: those of the
// reply that says ok, which is the only element in it.
func envelope(head netconf.Head) (open, end []byte) {
	doc := netconf.OKReply(head)
	j := bytes.LastIndexByte(doc, '<')
	i := bytes.LastIndexByte(doc[:j], '<')
	return doc[:i], doc[j:]
}

func document(doc []byte) *netconf.Message {
	return &netconf.Message{Size: int64(len(doc)), Body: bytes.NewReader(doc)}
}

func (s *session) write(m *netconf.Message) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.conn.Write(m)
}
