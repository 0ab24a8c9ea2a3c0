package gateway

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/share"

	"golang.org/x/crypto/ssh"
)

// managerSession is one NETCONF session of a manager with a device. What
// carries it, an SSH channel or a TLS connection, embeds it.
type managerSession struct {
	conn *managerConn
	opts *Options

	// ctx ends when the session begins to end; its cause is an *ending.
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // what runs besides serve

	linked chan link // tells watch which link to watch
	stream *stream

	// Set in carry before anybody is told of the session.
	device session
	relay  *relay
	since  time.Time
}

// newManagerSession returns a session on the manager's bytes.
func newManagerSession(c *managerConn, bytes io.ReadWriteCloser) *managerSession {
	s := &managerSession{conn: c, opts: &c.e.g.opts().Options, linked: make(chan link, 1)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.stream = newStream(bytes, s.opts.StallTimeout, func(reason string) {
		s.end(&ending{reason: reason, status: 1, abrupt: true})
	})
	return s
}

// access implements policy.
func (s *managerSession) access() *auth.Access {
	if m := s.conn.manager(); m != nil {
		return &m.Access
	}
	return nil
}

// end begins the end of the session; the first reason counts.
func (s *managerSession) end(why *ending) { s.cancel(why) }

// watch returns how the session ends, once it does. It passes the manager's
// requests to answer until then; TLS has none.
func (s *managerSession) watch(requests <-chan *ssh.Request, answer func(*ssh.Request)) *ending {
	var lost <-chan struct{}
	var l link
	for s.ctx.Err() == nil {
		select {
		case request, ok := <-requests:
			if !ok {
				s.end(endedByManager)
				break
			}
			answer(request)
		case l = <-s.linked:
			lost = l.Done()
		case <-lost:
			s.end(linkEnded(l))
		case <-s.conn.e.g.ctx.Done():
			s.end(endedByGateway)
		case <-s.ctx.Done():
		}
	}
	return endingOf(s.ctx)
}

// find returns the device that was granted and its link, after waiting for it
// if need be, or why there is none.
func (s *managerSession) find() (*device, *attachedLink, *ending) {
	name, g := s.conn.grant.device, s.conn.e.g
	if name == "" {
		return nil, nil, refused("the manager named no device", s.conn.noDevice())
	}
	d := g.known(name)
	if d == nil {
		return nil, nil, refused("the device is not known", unknownDevice(name))
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.Wait)
	defer cancel()
	defer context.AfterFunc(g.accepting, cancel)()
	l := d.use(ctx)
	switch {
	case l != nil:
		return d, l, nil
	case g.accepting.Err() != nil:
		return nil, nil, endedByGateway
	case d.isForgotten():
		return nil, nil, refused("the device is not known", unknownDevice(name))
	}
	return nil, nil, refused("the device is away", d.whyAway(g.started, time.Now()))
}

// carry opens a session with the device that find has found, and relays until
// it ends.
func (s *managerSession) carry(d *device, l *attachedLink, why *ending) {
	if l != nil {
		defer d.unuse()
	}
	if why == nil {
		why = s.admit()
	}
	if why != nil || s.ctx.Err() != nil {
		s.refuse(why)
		return
	}
	sharing := d.sharingNow()
	device, err := d.open(s.ctx, l)
	if err != nil {
		s.refuse(s.notOpened(err))
		return
	}
	s.linked <- l // until here open tells of its end, and knows more of it
	defer device.Close()
	defer context.AfterFunc(s.ctx, func() { _ = device.Close() })()
	s.relay = newRelay(s.ctx, s.end, s.opts, s.conn.budget, s, l, device, s.stream)
	s.device, s.since = device, time.Now()
	if why := d.enter(s, sharing); why != nil {
		s.refuse(why)
		return
	}
	defer d.leave(s)
	if !s.conn.e.g.carry() {
		s.refuse(endedByGateway)
		return
	}
	defer s.conn.e.g.carried.Done()
	// A busy device confirms the end late: the session is none by then.
	defer context.AfterFunc(s.ctx, func() { d.leave(s) })()
	s.logStart()
	s.relay.session, s.relay.tap = s.record(l), &d.tap
	s.relay.recording = record(s.opts.Recorder, s.relay.session, s.conn.budget)
	s.relay.run()
	why = endingOf(s.ctx)
	s.relay.recording.ends(why, s.status())
	s.logEnd(why)
}

// admit returns why no session may begin at present, or nil.
func (s *managerSession) admit() *ending {
	if s.opts.Recorder == nil {
		return nil
	}
	if err := s.opts.Recorder.Admit(); err != nil {
		return refused("no session may begin at present", "no session may begin at present: "+oneLine(err.Error()))
	}
	return nil
}

// refuse ends a session that never was: for that reason, unless it has ended
// already. What a person would be told on SSH is in the log only where TLS has
// no room for it.
func (s *managerSession) refuse(why *ending) {
	if s.ctx.Err() != nil {
		why = endingOf(s.ctx)
	}
	values := append([]any{"manager", s.conn.grant.manager,
		"device", logged(s.conn.grant.device), "remote", s.conn.source}, why.values()...)
	if s.conn.e.transport == callhome.TLS && why.sentence != "" {
		values = append(values, "sentence", printable(why.sentence, maxReason))
	}
	s.opts.Log.Info("a manager got no session", values...)
	s.end(why)
}

// notOpened says why the device gave no session.
func (s *managerSession) notOpened(err error) *ending {
	name := s.conn.grant.device
	sentence := "device " + name + " gave no session: " + oneLine(err.Error())
	switch {
	case errors.Is(err, callhome.ErrNoSession):
		sentence = "device " + name + " allows no further session at present: close one, or try again later (" +
			oneLine(err.Error()) + ")"
	case errors.Is(err, share.ErrExclusive):
		sentence = "device " + name + " serves one manager at a time, and another is there: try again later"
	}
	e := refused("the device gave no session", sentence)
	e.detail = err
	return e
}

func (s *managerSession) status() SessionStatus {
	return SessionStatus{
		Manager:     s.conn.grant.manager,
		Transport:   s.conn.e.transport,
		Source:      s.conn.source,
		SessionID:   s.device.Hello().SessionID,
		Since:       s.since,
		MessagesIn:  s.relay.received.Load(),
		MessagesOut: s.relay.sent.Load(),
		BytesIn:     s.stream.in.Load(),
		BytesOut:    s.stream.out.Load(),
	}
}

func (s *managerSession) record(l link) SessionRecord {
	id := s.device.Hello().SessionID
	r := SessionRecord{
		Manager: s.conn.grant.manager, Transport: s.conn.e.transport, Source: s.conn.source,
		Device: s.conn.grant.device, SessionID: id, DeviceSessionID: id, Since: s.since,
	}
	if _, r.Shared = s.device.(*share.Session); r.Shared {
		r.DeviceSessionID = l.hello().SessionID
	}
	return r
}

func (s *managerSession) logStart() {
	s.opts.Log.Info("a manager session starts", "manager", s.conn.grant.manager,
		"device", s.conn.grant.device, "transport", string(s.conn.e.transport), "remote", s.conn.source,
		"session_id", s.device.Hello().SessionID)
}

// logDenied implements policy.
func (s *managerSession) logDenied(what string) {
	s.opts.Log.Info("a manager is denied a request", "manager", s.conn.grant.manager, "device", s.conn.grant.device,
		"remote", s.conn.source, "session_id", s.device.Hello().SessionID, "request", what)
}

func (s *managerSession) logEnd(why *ending) {
	status := s.status()
	values := []any{
		"manager", status.Manager, "device", s.conn.grant.device, "remote", status.Source,
		"session_id", status.SessionID, "lasted", time.Since(s.since).Round(time.Millisecond),
		"messages_in", status.MessagesIn, "messages_out", status.MessagesOut,
		"bytes_in", status.BytesIn, "bytes_out", status.BytesOut,
	}
	if n := s.relay.denied.Load(); n > 0 {
		values = append(values, "denied", n)
	}
	s.opts.Log.Info("a manager session ends", append(values, why.values()...)...)
}
