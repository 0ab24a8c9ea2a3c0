package gateway

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"callhome-gateway/callhome"

	"golang.org/x/crypto/ssh"
)

// managerSession is one channel of a manager and, once it has asked for the
// netconf subsystem, the NETCONF session with the device behind it.
type managerSession struct {
	conn     *managerConn
	opts     *Options
	channel  ssh.Channel
	requests <-chan *ssh.Request

	// ctx ends when the session begins to end; its cause is an *ending.
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // what runs besides serve

	asked  bool      // for the subsystem, or something else
	linked chan link // tells serve which link to watch
	early  *earlyReader
	stream *stream

	// Set in run before anybody is told of the session.
	device session
	relay  *relay
	since  time.Time
}

func newManagerSession(c *managerConn, channel ssh.Channel, requests <-chan *ssh.Request) *managerSession {
	s := &managerSession{
		conn: c, opts: &c.e.g.opts, channel: channel, requests: requests,
		linked: make(chan link, 1),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.early = newEarlyReader(channel)
	s.stream = newStream(managerStream{s.early, channel}, s.opts.StallTimeout, func(reason string) {
		s.end(&ending{reason: reason, status: 1, abrupt: true})
	})
	return s
}

// managerStream is a manager's channel, which is read early.
type managerStream struct {
	*earlyReader
	io.WriteCloser
}

// end begins the end of the session; the first reason counts.
func (s *managerSession) end(why *ending) { s.cancel(why) }

// serve answers the channel's requests and watches over the session until it
// has ended on both sides.
func (s *managerSession) serve() {
	defer s.stream.stop()
	defer s.work.Wait()
	s.work.Go(s.watchEarly)
	s.work.Go(s.watchStderr)
	unasked := time.AfterFunc(s.opts.HelloTimeout, func() {
		s.end(refused("the manager asked for nothing", "nothing was asked for in time"))
	})
	var lost <-chan struct{}
	var l link
	for s.ctx.Err() == nil {
		select {
		case request, ok := <-s.requests:
			if !ok {
				s.end(endedByManager)
				break
			}
			s.answer(request)
			if s.asked {
				unasked.Stop()
			}
		case l = <-s.linked:
			lost = l.Done()
		case <-lost:
			s.end(linkEnded(l))
		case <-s.conn.e.ctx.Done():
			s.end(endedByGateway)
		case <-s.ctx.Done():
		}
	}
	unasked.Stop()
	s.finish(endingOf(s.ctx))
}

// answer answers a request of the manager. What is no NETCONF is granted, so
// that what it prints reaches the person who asked for it: clients hide what
// comes with a refusal.
func (s *managerSession) answer(request *ssh.Request) {
	switch {
	case request.Type == "env", request.Type == "pty-req":
		_ = request.Reply(true, nil)
	case request.Type != "subsystem" && request.Type != "shell" && request.Type != "exec", s.asked:
		_ = request.Reply(false, nil)
	case isNetconf(request):
		s.asked = true
		close(s.early.asked)
		s.work.Go(func() { s.run(request) })
	default:
		s.asked = true
		_ = request.Reply(true, nil)
		s.end(refused("the manager asked for a "+request.Type, s.conn.noShell()))
	}
}

func isNetconf(request *ssh.Request) bool {
	var asked struct{ Name string }
	return request.Type == "subsystem" && ssh.Unmarshal(request.Payload, &asked) == nil && asked.Name == "netconf"
}

// run finds the device, opens the session with it, and relays.
func (s *managerSession) run(request *ssh.Request) {
	d, l, why := s.find()
	_ = request.Reply(true, nil)
	if why != nil {
		s.refuse(why)
		return
	}
	s.linked <- l
	device, err := l.open(s.ctx)
	if err != nil {
		s.refuse(s.notOpened(err))
		return
	}
	defer device.Close()
	defer context.AfterFunc(s.ctx, func() { _ = device.Close() })()
	s.relay = newRelay(s.ctx, s.end, s.opts, s.conn.e.g.budgets[s.conn.grant.manager], l, device, s.stream)
	s.device, s.since = device, time.Now()
	if !d.enter(s) {
		s.refuse(refused("the device was forgotten", unknownDevice(d.name)))
		return
	}
	defer d.leave(s)
	// A busy device confirms the end late: the session is none by then.
	defer context.AfterFunc(s.ctx, func() { d.leave(s) })()
	s.logStart()
	s.relay.run()
	s.logEnd(endingOf(s.ctx))
}

// refuse ends a session that never was.
func (s *managerSession) refuse(why *ending) {
	s.opts.Log.Info("a manager got no session", append([]any{"manager", s.conn.grant.manager,
		"device", logged(s.conn.grant.device), "remote", s.conn.source}, why.values()...)...)
	s.end(why)
}

// find returns the device that was granted and its link, after waiting for it
// if need be, or why there is none.
func (s *managerSession) find() (*device, link, *ending) {
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
	if l := d.await(ctx); l != nil {
		return d, l, nil
	}
	return nil, nil, refused("the device is away", d.whyAway(g.started, time.Now()))
}

// notOpened says why the device gave no session.
func (s *managerSession) notOpened(err error) *ending {
	name := s.conn.grant.device
	sentence := "device " + name + " gave no session: " + oneLine(err.Error())
	if errors.Is(err, callhome.ErrNoSession) {
		sentence = "device " + name + " allows no further session at present: close one, or try again later (" +
			oneLine(err.Error()) + ")"
	}
	e := refused("the device gave no session", sentence)
	e.detail = err
	return e
}

// finish says goodbye to the manager. It returns when the manager has
// confirmed the end, or has had its time to.
func (s *managerSession) finish(why *ending) {
	defer s.conn.leave()
	late := time.AfterFunc(why.grace(s.opts.StallTimeout), s.conn.kill)
	defer late.Stop()
	// Behind a blocked write the sentence would never come through, and what
	// follows neither.
	if why.sentence != "" && !s.stream.blocked() {
		say(s.channel.Stderr(), why.sentence)
	}
	_, _ = s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{why.status}))
	_ = s.channel.Close()
	for request := range s.requests {
		_ = request.Reply(false, nil)
	}
}

func (s *managerSession) status() SessionStatus {
	return SessionStatus{
		Manager:     s.conn.grant.manager,
		Source:      s.conn.source,
		SessionID:   s.device.Hello().SessionID,
		Since:       s.since,
		MessagesIn:  s.relay.received.Load(),
		MessagesOut: s.relay.sent.Load(),
		BytesIn:     s.stream.in.Load(),
		BytesOut:    s.stream.out.Load(),
	}
}

func (s *managerSession) logStart() {
	s.opts.Log.Info("a manager session starts", "manager", s.conn.grant.manager,
		"device", s.conn.grant.device, "remote", s.conn.source, "session_id", s.device.Hello().SessionID)
}

func (s *managerSession) logEnd(why *ending) {
	status := s.status()
	s.opts.Log.Info("a manager session ends", append([]any{
		"manager", status.Manager, "device", s.conn.grant.device, "remote", status.Source,
		"session_id", status.SessionID, "lasted", time.Since(s.since).Round(time.Millisecond),
		"messages_in", status.MessagesIn, "messages_out", status.MessagesOut,
		"bytes_in", status.BytesIn, "bytes_out", status.BytesOut,
	}, why.values()...)...)
}
