package callhome

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// call is one accepted connection, from the accept to its outcome.
type call struct {
	server *Server
	conn   *callConn
	info   CallInfo
	at     time.Time
	links  *sync.WaitGroup

	plan *plan
	// binding is nil until the identity is known.
	binding *binding
}

// handle takes one connection through the accept procedure. A link that comes
// of it is added to links until it has ended.
func (s *Server) handle(ctx context.Context, raw net.Conn, links *sync.WaitGroup) {
	c := &call{server: s, conn: newCallConn(raw), info: infoOf(raw), at: time.Now(), links: links}
	link, r := c.enter(ctx)
	if link == nil && ctx.Err() != nil {
		_ = c.conn.end() // the gateway itself ended the call
		return
	}
	c.report(r)
	if link != nil {
		return
	}
	if r.reason.holds() {
		s.hold(ctx, c.conn)
	}
	_ = c.conn.end()
}

var errShutdown = errors.New("the gateway is stopping")

func infoOf(conn net.Conn) CallInfo {
	return CallInfo{Remote: addrPort(conn.RemoteAddr()), Local: addrPort(conn.LocalAddr())}
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// enter counts the call while it is in progress.
func (c *call) enter(ctx context.Context) (*Link, *rejection) {
	calls, source := c.server.calls, auth.Network(c.info.Remote.Addr())
	if !calls.Enter(source) {
		return nil, reject(RejectedLimit, "too many calls are in progress, in all or from %s (max_calls, a quarter of it for one source)", source)
	}
	defer calls.Leave(source)
	return c.accept(ctx)
}

// accept is the accept procedure. It returns the link, or why there is none.
func (c *call) accept(ctx context.Context) (*Link, *rejection) {
	s := c.server
	if r := c.preamble(ctx); r != nil {
		return nil, r
	}
	var r *rejection
	if c.plan, r = s.plan(ctx, c.info); r != nil {
		return nil, r
	}
	leave, err := s.gate.enter(ctx, auth.Network(c.info.Remote.Addr()), c.at)
	if err != nil {
		return nil, reject(RejectedLimit, "%v: the call waited %s for its key exchange (max_handshakes, max_handshakes_per_source)",
			err, time.Since(c.at).Round(time.Second))
	}
	login := &login{server: s, call: c.conn, plan: c.plan, leave: leave}
	conn, channels, requests, err := login.run(ctx)
	c.binding = login.binding
	if err != nil {
		return nil, c.failed(login, err)
	}
	s.sources.served(c.info.Remote.Addr(), c.plan.user)
	return c.establish(ctx, login, conn, channels, requests)
}

func (c *call) preamble(ctx context.Context) *rejection {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	err := readPreamble(c.conn, c.at.Add(keyExchangeTimeout))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errSilent):
		return reject(TimedOut, "%v (%s)", err, keyExchangeTimeout)
	}
	return reject(FailedPreamble, "%v", err)
}

// failed gives the outcome of a failed login and remembers what the next call
// of the device must know.
func (c *call) failed(l *login, err error) *rejection {
	s, now := c.server, time.Now()
	r, refused := l.outcome(err)
	if l.binding == nil {
		return r
	}
	s.sources.saw(c.info.Remote.Addr(), l.binding.identity, now)
	switch {
	case refused:
		s.failures.Mark(l.binding.identity, l.binding.user.Name, now)
		s.sources.served(c.info.Remote.Addr(), c.plan.user)
	case r.reason == RejectedWrongUser:
		s.sources.await(c.info.Remote.Addr(), l.binding.user, now)
	case r.reason == RejectedKeyChanged && c.plan.entry != nil:
		s.hunts.miss(c.plan.entry.Name, l.binding.identity.Type)
	case r.reason == RejectedPending:
		c.notePending(l.binding, now)
	}
	return r
}

func (c *call) notePending(b *binding, now time.Time) {
	c.server.opts.Memory.NotePending(auth.Pending{
		Identity: b.identity, Address: c.info.Remote.Addr(), Name: b.name, First: now, Last: now, Calls: 1,
	})
}

// establish makes a link of a connection that has logged in.
func (c *call) establish(ctx context.Context, login *login, conn ssh.Conn, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) (*Link, *rejection) {
	link := c.newLink(conn)
	// The link does not finish its end while it is being set up.
	link.wg.Add(1)
	c.links.Add(1)
	stop := context.AfterFunc(ctx, func() { link.end(errShutdown) })
	link.run(channels, requests, func() {
		stop()
		c.linkEnded(link)
	})
	r := c.setUp(ctx, link, login.over)
	link.wg.Done()
	if r != nil {
		_ = link.CloseFor(r)
		return nil, r
	}
	return link, nil
}

// setUp opens the control session and claims the device.
func (c *call) setUp(ctx context.Context, link, over *Link) *rejection {
	s := c.server
	if r := c.openControl(ctx, link); r != nil {
		return r
	}
	if r := c.pin(); r != nil {
		return r
	}
	if !s.links.claim(link, over) {
		return reject(RejectedInUse, "%s connected by another call at the same moment", link.name)
	}
	if over != nil {
		over.end(errors.New("the device called again, and this connection was dead"))
	}
	// It may have been forgotten while it logged in. Whoever forgets it from
	// now on finds the link.
	if _, r := s.bind(c.plan, link.identity); r != nil {
		return r
	}
	if c.plan.entry == c.binding.entry && c.plan.entry != nil {
		s.hunts.hit(c.plan.entry.Name, link.identity.Type)
	}
	s.hellos.share(link.Control())
	s.sources.saw(c.info.Remote.Addr(), link.identity, time.Now())
	link.attached = true
	s.opts.Attach(link)
	return nil
}

// linkEnded runs when all goroutines of the link but the last have ended.
func (c *call) linkEnded(link *Link) {
	defer c.links.Done()
	s := c.server
	s.hellos.release(link.Control())
	s.links.release(link)
	if !link.attached {
		return // handle closes the call
	}
	_ = c.conn.end()
	s.opts.Detach(link)
	s.log.Info("a device is away", "device", link.name, "detail", link.Err().Error(),
		"lasted", time.Since(link.since).Round(time.Second))
}

func (c *call) newLink(conn ssh.Conn) *Link {
	s, b := c.server, c.binding
	l := &Link{
		name:            b.name,
		identity:        b.identity,
		user:            b.user.Name,
		remote:          c.info.Remote,
		since:           time.Now(),
		call:            c.conn,
		ssh:             conn,
		controlRequests: make(chan (<-chan *ssh.Request), 1),
		opening:         make(chan struct{}, maxOpening),
		ending:          make(chan struct{}),
		done:            make(chan struct{}),
		broken:          func() { s.noteBroken(b) },
		liveness: liveness{
			interval:  s.opts.KeepaliveInterval,
			deadAfter: s.opts.DeadAfter,
			idleRPC:   max(0, s.opts.IdleRPC),
			byReply:   s.opts.ReplyLiveness,
		},
	}
	if b.entry != nil {
		l.hello = b.entry.Hello
	}
	if _, err := c.conn.tcpState(); err != nil {
		l.liveness.byReply = true // there is nothing else to go by
	}
	return l
}

// openControl opens the control session within its time.
func (c *call) openControl(ctx context.Context, link *Link) *rejection {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	// A device that does not even open the channel can only be closed.
	stop := context.AfterFunc(ctx, func() { link.end(ctx.Err()) })
	err := link.openControl(ctx)
	if !stop() {
		err = ctx.Err()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return reject(TimedOut, "%s logged in but opened no NETCONF session within %s: it sent no hello", link.name, controlTimeout)
	case errors.Is(err, errNoAnswer), errors.Is(err, ErrLinkEnded):
		return reject(FailedSubsystem, "%s: %v: is NETCONF enabled on the device, and may the user %s use it?", link.name, errNoAnswer, Quote(c.binding.user.Username))
	case errors.Is(err, errSubsystem), errors.Is(err, ErrNoSession):
		return reject(FailedSubsystem, "%s: %v: is NETCONF enabled on the device, and may the user %s use it?", link.name, err, Quote(c.binding.user.Username))
	}
	return reject(FailedHello, "%s: %v", link.name, err)
}

// pin remembers a device that is trusted on first use, once its login has
// shown that it is a device at all.
func (c *call) pin() *rejection {
	b := c.binding
	if !b.firstUse {
		return nil
	}
	err := c.server.opts.Memory.Pin(auth.Device{Name: b.name, Identity: b.identity, FirstUse: true, Since: time.Now()})
	if err != nil {
		return reject(RejectedUntrusted, "cannot pin the key %s as %s: %v", b.identity, b.name, err)
	}
	return nil
}
