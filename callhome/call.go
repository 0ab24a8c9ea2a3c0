package callhome

import (
	"cmp"
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
	// arrival is what the call counts as, place its own among the calls in
	// progress, and ticket its place among the handshakes, once it has one.
	arrival auth.Arrival
	place   *auth.Place
	ticket  *ticket
	evicted bool
	// called is the listener, as ServeListener was given it.
	called *Listener
	// proxied says that a proxy has made the connection on the device's behalf.
	proxied bool

	claim claim
	plan  *plan
	// binding is nil until the identity is known, and proof until the device is
	// about to be set up.
	binding *binding
	proof   proof
}

// handle takes one connection through the accept procedure. A link that comes
// of it is added to links until it has ended.
func (s *Server) handle(ctx context.Context, raw net.Conn, l *Listener, links *sync.WaitGroup) {
	c := &call{server: s, conn: newCallConn(raw), info: infoOf(raw, l), at: time.Now(), links: links, called: l}
	link, r := c.enter(ctx)
	if link == nil && (ctx.Err() != nil || r.reason == noCall) {
		_ = c.conn.end() // the gateway itself ended the call
		return
	}
	c.report(r)
	if link != nil {
		return
	}
	if c.place != nil && c.blames(r.reason) {
		s.standings.blame(c.arrival.Source)
	}
	if c.holds(r.reason) {
		c.hold(ctx)
	}
	_ = c.conn.end()
}

var errShutdown = errors.New("the gateway is stopping")

func infoOf(conn net.Conn, l *Listener) CallInfo {
	return CallInfo{Local: addrPort(conn.LocalAddr()), Transport: l.Transport, Listener: l.Name}
}

// enter counts the call while it is in progress.
func (c *call) enter(ctx context.Context) (*Link, *rejection) {
	if r := c.arrive(ctx); r != nil {
		return nil, r
	}
	// present ends when the call has to go for others.
	present, cancel := context.WithCancel(ctx)
	defer cancel()
	c.arrival.Evict = func() {
		_ = c.conn.Close()
		cancel()
	}
	if c.place = c.server.calls.Enter(c.arrival); c.place == nil {
		return nil, reject(RejectedLimit, "too many calls are in progress, in all or from %s (max_calls, a quarter of it for one source)", c.arrival.Source)
	}
	defer c.place.Leave()
	link, r := c.accept(ctx, present)
	if c.ticket != nil {
		c.ticket.leave()
	}
	return link, c.unlessEvicted(r)
}

// unlessEvicted says so where the call had to go for others: what came of it
// follows from that.
func (c *call) unlessEvicted(r *rejection) *rejection {
	switch {
	case r == nil:
		return nil
	case c.place.Evicted():
		c.evicted = true
		return reject(RejectedLimit, "the device kept the gateway waiting while others wanted in (max_calls)")
	case c.ticket.evicted():
		c.evicted = true
		return reject(RejectedLimit, "the device kept the gateway waiting in its handshake while others wanted theirs (max_handshakes, max_handshakes_per_source)")
	}
	return r
}

// accept is the accept procedure. It returns the link, or why there is none.
// What outlives the call is ended by ctx. The call still has to make room for
// others when the user-select hook is asked about it: many strangers can keep
// that busy.
func (c *call) accept(ctx, present context.Context) (*Link, *rejection) {
	if c.info.Transport == SSH {
		if r := c.preamble(ctx); r != nil {
			return nil, r
		}
	}
	var r *rejection
	if c.plan, r = c.server.plan(present, c.info, c.called, c.claim); r != nil {
		return nil, r
	}
	c.place.Waiting(false)
	if c.info.Transport == TLS {
		return c.loginTLS(ctx)
	}
	return c.loginSSH(ctx)
}

// starved is the outcome of a call that got no turn.
func starved(p *pace) *rejection {
	return reject(RejectedLimit, "%v: the call has waited for its turn for more than %s (max_handshakes, max_handshakes_per_source)", p.starved, maxQueued)
}

func (c *call) loginSSH(ctx context.Context) (*Link, *rejection) {
	l := &login{server: c.server, call: c.conn, plan: c.plan, pace: c.pace(ctx, wholeSSH)}
	conn, channels, requests, err := l.run(ctx)
	c.binding, c.proof = l.binding, l.proved
	if err != nil {
		r, refused := l.outcome(err)
		return nil, c.failed(r, refused)
	}
	over := l.over
	l.forget()
	c.saw(time.Now())
	link := c.newLink()
	link.bearer = &sshBearer{
		link: link, conn: conn, channels: channels, requests: requests,
		broken:          c.server.noteBroken,
		controlRequests: make(chan (<-chan *ssh.Request), 1),
	}
	return c.establish(ctx, link, over)
}

func (c *call) preamble(ctx context.Context) *rejection {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	said, err := readPreamble(c.conn, c.at.Add(keyExchangeTimeout))
	switch {
	case err == nil:
		c.claim, c.info.DeviceID = said, said.deviceID
		if said.foreign != "" {
			c.server.log.Debug("a device begins like Junos, and not with the message that is known", "remote", c.info.Remote, "detail", said.foreign)
		}
		return nil
	case errors.Is(err, errSilent):
		return reject(TimedOut, "%v (%s)", err, keyExchangeTimeout)
	}
	return reject(FailedPreamble, "%v", err)
}

// failed remembers of a failed login what the next call of the device must
// know: nothing, where the device has not proved who it is.
func (c *call) failed(r *rejection, refused bool) *rejection {
	s, b, now := c.server, c.binding, time.Now()
	if b == nil {
		return r
	}
	c.saw(now)
	switch {
	case refused:
		s.refused(b.identity, b.user, now)
	case r.reason == RejectedWrongUser:
		s.sources.await(c.plan.origin(), b.identity, b.user, now)
		if c.plan.told {
			s.misled.Note(misledID{c.info.Remote.Addr(), c.plan.claim.deviceID})
		}
	case r.reason == RejectedKeyChanged && c.plan.entry != nil && c.plan.avowal == nil && c.info.Transport == SSH:
		s.hunts.miss(c.plan.entry.Name, b.identity.Type)
	case r.reason == RejectedPending:
		c.notePending(b, now)
	}
	return r
}

// refused remembers that the device has refused the user entry, unless that logs
// in with something else by now.
func (s *Server) refused(id auth.Identity, user *auth.User, now time.Time) {
	s.failures.Mark(id, user.Name, now) // first: Use forgets it if the rules change from here on
	if next := s.rules.Load().users[user.Name]; next != nil && !next.SameLogin(user) {
		s.failures.Clear(now, func(f auth.Failure) bool { return f.Identity == id && f.User == user.Name })
	}
}

// saw remembers the identity for the next call from its origin. On TLS no
// username must be chosen before it shows; and of strangers nothing is kept,
// who could make it forget the devices.
func (c *call) saw(now time.Time) {
	if c.info.Transport == SSH && c.binding.name != "" {
		c.server.sources.saw(c.plan.origin(), c.binding.identity, c.at, now)
	}
}

func (c *call) notePending(b *binding, now time.Time) {
	c.server.fixed.Memory.NotePending(auth.Pending{
		Identity: b.identity, Address: c.info.Remote.Addr(), Name: cmp.Or(b.name, b.proposed), Description: c.proof.describe(), First: now, Last: now, Calls: 1,
	})
}

// establish makes a link of a connection that has logged in.
func (c *call) establish(ctx context.Context, link, over *Link) (*Link, *rejection) {
	// The link does not finish its end while it is being set up.
	link.wg.Add(1)
	c.links.Add(1)
	stop := context.AfterFunc(ctx, func() { link.end(errShutdown) })
	// The link lives long: it must not hold on to the call, nor to the rules that
	// the call was decided by.
	s, source, links := c.server, c.arrival.Source, c.links
	link.run(func() {
		defer links.Done()
		stop()
		s.linkEnded(link, source)
	})
	r := c.setUp(ctx, link, over)
	c.proof = proof{}
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
	// It may have been forgotten, or given another name, or the configuration
	// have changed, while it logged in. Whoever does that from now on finds the
	// link.
	b, r := s.rules.Load().keeps(link)
	switch {
	case r != nil:
		return r
	case !b.voucher.IsZero():
		s.fixed.Memory.NoteVoucher(b.name, b.voucher)
	}
	if c.info.Transport == SSH && c.plan.entry == c.binding.entry && c.plan.entry != nil {
		s.hunts.hit(c.plan.entry.Name, link.identity.Type)
	}
	s.hellos.share(link.Control())
	link.attached.Store(true)
	s.standings.attached(c.arrival.Source)
	s.fixed.Attach(link)
	return nil
}

// linkEnded runs when all goroutines of the link, of a device of that source,
// but the last have ended.
func (s *Server) linkEnded(link *Link, source netip.Prefix) {
	s.hellos.release(link.Control())
	s.links.release(link)
	if !link.attached.Load() {
		return // handle closes the call
	}
	_ = link.call.end()
	s.standings.detached(source)
	s.flaps.ended(link)
	s.fixed.Detach(link)
	s.log.Info("a device is away", "device", link.name, "detail", link.Err().Error(),
		"lasted", time.Since(link.since).Round(time.Second))
}

// newLink returns the link, which still lacks its bearer.
func (c *call) newLink() *Link {
	b, o := c.binding, &c.server.rules.Load().opts
	l := &Link{
		name:     b.name,
		identity: b.identity,
		user:     b.user.Name,
		username: b.user.Username,
		remote:   c.info.Remote,
		called:   c.called,
		chosen:   c.plan.chosen,
		own:      c.plan.own,
		since:    time.Now(),
		call:     c.conn,
		opening:  make(chan struct{}, maxOpening),
		ending:   make(chan struct{}),
		done:     make(chan struct{}),
		liveness: liveness{
			interval:  o.KeepaliveInterval,
			deadAfter: o.DeadAfter,
			idleRPC:   max(0, o.IdleRPC),
			byReply:   o.ReplyLiveness || c.proxied, // the proxy acknowledges by itself
		},
	}
	// Until it has begun to end, goroutines may join it.
	l.wg.Add(1)
	if b.entry != nil {
		l.hello = b.entry.Hello.orNone()
	}
	if said := c.claim; said.deviceID != "" {
		l.claim = &said
	}
	if shown := c.proof; shown.certified() || len(shown.old) > 0 {
		shown.ca = b.ca
		l.shown = &shown
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
	err := link.bearer.openControl(ctx)
	if !stop() {
		err = ctx.Err()
	}
	switch {
	case err == nil:
		return nil
	case alertOf(err) != 0:
		return c.refusedAfterwards(err)
	case errors.Is(err, context.DeadlineExceeded):
		return reject(TimedOut, "%s logged in but opened no NETCONF session within %s: it sent no hello", link.name, controlTimeout)
	case errors.Is(err, errNoAnswer), errors.Is(err, ErrLinkEnded):
		return reject(FailedSubsystem, "%s: %v: is NETCONF enabled on the device, and may %s use it?", link.name, errNoAnswer, c.loginName())
	case errors.Is(err, errSubsystem), errors.Is(err, ErrNoSession):
		return reject(FailedSubsystem, "%s: %v: is NETCONF enabled on the device, and may %s use it?", link.name, err, c.loginName())
	}
	return reject(FailedHello, "%s: %v", link.name, err)
}

// loginName says who the gateway is to the device.
func (c *call) loginName() string {
	if c.info.Transport == TLS {
		return "the client certificate of user entry " + c.binding.user.Name
	}
	return "the user " + Quote(c.binding.user.Username)
}

// mayPin bounds what who makes up keys can have remembered.
func (c *call) mayPin() bool {
	return c.arrival.Exempt || c.server.pins.Take(c.arrival.Source, pinInterval, firstPins*pinInterval)
}

// pin remembers a new device that is trusted on first use or by the listener's
// secret, once its login has shown that it is a device at all.
func (c *call) pin() *rejection {
	b := c.binding
	if !b.unpinned {
		return nil
	}
	if b.unvouched && !c.mayPin() {
		return reject(RejectedLimit, "too many new devices from %s were trusted on first use (%d, and one more each %s): wait, or give %s a session entry, or name the network in exempt_sources if all in it are yours",
			c.arrival.Source, firstPins, pinInterval, b.name)
	}
	err := c.server.fixed.Memory.Pin(auth.Device{Name: b.name, Identity: b.identity, FirstUse: b.unvouched, Since: time.Now()})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrNameTaken) && !b.unvouched:
		return reject(RejectedKeyChanged, "another device that has the listener's secret was given the name %s while the %s %s logged in: %v", b.name, kindOf(b.identity), b.identity, err)
	}
	return reject(RejectedUntrusted, "cannot pin the %s %s as %s: %v", kindOf(b.identity), b.identity, b.name, err)
}
