// Package callhome is a NETCONF Call Home server (RFC 8071): it accepts the
// connections of devices, over SSH and over TLS, has them prove who they are,
// logs in to them, and keeps each as a Link. Over SSH NETCONF sessions can be
// opened on it; over TLS it is one session, which Link.Trunk hands over.
package callhome

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
)

const (
	keyExchangeTimeout = 20 * time.Second // for the version line and the key exchange, or TLS's handshake
	loginTimeout       = 60 * time.Second // RADIUS servers and slow CPUs
	controlTimeout     = 60 * time.Second // for the control session
	openTimeout        = 60 * time.Second // for a further session
	maxOpening         = 8                // sessions that are being opened on one link
	maxEnding          = 64               // calls that have no place any more, or not yet
	sayAgain           = time.Minute      // that calls cannot be accepted
)

// Server accepts the calls of devices. Its methods may be called concurrently.
type Server struct {
	// fixed are the Options that stay as they were given to New.
	fixed Options
	log   hclog.Logger
	learned
	// using is held while other rules take the place of those in force.
	using sync.Mutex
	rules atomic.Pointer[rules]

	hellos *helloSets
	gate   *gate
	held   *auth.Places
	calls  *auth.Places
	// accepted has one for each call that is neither a link nor closed: of those
	// that had to make room, the files are given back a little later.
	accepted chan struct{}

	standings *standings
	pins      *auth.Debts[netip.Prefix] // see mayPin
	outcomes  *outcomeLog
}

// New checks the options and returns a server that accepts nothing yet.
func New(opts Options) (*Server, error) {
	if opts.Memory == nil {
		return nil, errors.New("callhome: Options.Memory is required")
	}
	opts = opts.withDefaults()
	s := &Server{
		fixed: opts.fixed(),
		log:   opts.Log,
		learned: learned{
			links:    newTable(),
			failures: auth.NewFailures(max(0, opts.FailureTTL)),
			sources:  newSources(),
			misled:   auth.NewRecent[misledID](misledFor, maxMisled),
			hunts:    newHunts(),
			broken:   newBrokenConns(),
			flaps:    newFlaps(opts.Log),
		},

		hellos:   newHelloSets(),
		gate:     newGate(opts.MaxHandshakes, opts.MaxHandshakesPerSource),
		held:     auth.NewPlaces(opts.MaxHeld),
		calls:    auth.NewPlaces(opts.MaxCalls),
		accepted: make(chan struct{}, opts.MaxCalls+opts.MaxHeld+maxEnding),

		standings: newStandings(),
		pins:      auth.NewDebts[netip.Prefix](maxDebtors),
		outcomes:  newOutcomeLog(opts.Log),
	}
	rules, err := newRules(opts, s.learned)
	if err != nil {
		return nil, err
	}
	s.rules.Store(rules)
	return s, nil
}

// fixed returns the options that Use does not change.
func (o Options) fixed() Options {
	return Options{Memory: o.Memory, Attach: o.Attach, Detach: o.Detach, Outcome: o.Outcome, Log: o.Log}
}

func (o Options) withDefaults() Options {
	setDefault(&o.UserSelectTimeout, 5*time.Second)
	setDefault(&o.RejectDelay, 5*time.Second)
	setDefault(&o.FailureTTL, 15*time.Minute)
	setDefault(&o.KeepaliveInterval, 15*time.Second)
	setDefault(&o.DeadAfter, 45*time.Second)
	setDefault(&o.IdleRPC, 4*time.Minute)
	setDefault(&o.MaxHandshakes, 1024)
	setDefault(&o.MaxHandshakesPerSource, 256)
	setDefault(&o.MaxCalls, DefaultMaxCalls)
	setDefault(&o.MaxHeld, DefaultMaxHeld)
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Attach == nil {
		o.Attach = func(*Link) {}
	}
	if o.Detach == nil {
		o.Detach = func(*Link) {}
	}
	if o.Outcome == nil {
		o.Outcome = func(Outcome) {}
	}
	return o
}

func setDefault[T int | time.Duration](value *T, fallback T) {
	if *value == 0 {
		*value = fallback
	}
}

// Serve accepts calls over SSH on ln until ctx ends. Then it closes ln, the
// calls in progress and the links that came from it, and returns when all of
// that has ended. Where somebody else closes ln before, no more calls are
// accepted, and those in progress and the links go on: it returns when the last
// of them has ended, or as above. It may be called for several listeners.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return s.ServeListener(ctx, ln, Listener{Transport: SSH})
}

// ServeTLS is Serve for calls over TLS.
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener) error {
	return s.ServeListener(ctx, ln, Listener{Transport: TLS})
}

// ServeListener is Serve for calls to which l applies: as it is given here, or
// else as Check was given the one of the same name and transport, once Use is
// called.
func (s *Server) ServeListener(ctx context.Context, ln net.Listener, l Listener) error {
	s.rules.Load().on(&l) // what the first call would have to wait for
	defer func() { s.rules.Load().own.Delete(&l) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	var said time.Time
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			wg.Wait() // for the calls and links
			return nil
		case err != nil:
			// Out of file descriptors, most likely: waiting lets some end.
			if time.Since(said) > sayAgain {
				said = time.Now()
				s.log.Error("cannot accept calls at the moment", "error", err)
			}
			if !sleep(ctx, time.Second) {
				return nil
			}
		case !s.admit(ctx):
			_ = conn.Close()
			return nil
		default:
			wg.Go(func() {
				defer func() { <-s.accepted }()
				s.handle(ctx, conn, &l, &wg)
			})
		}
	}
}

// admit waits until there are no more than maxEnding calls beyond those that
// have a place. The handling of calls must not fall behind their coming: they
// would take files and memory without bound.
func (s *Server) admit(ctx context.Context) bool {
	select {
	case s.accepted <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

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

// Link returns the live link of a device, or nil.
func (s *Server) Link(name string) *Link { return s.links.holder(name) }

// Failures returns the logins that devices refused and that are not tried again.
func (s *Server) Failures() []auth.Failure { return s.failures.List(time.Now()) }

// Awaited returns the users that devices behind an address turned out to need,
// by address: they are tried on the next calls from there.
func (s *Server) Awaited() map[netip.Addr][]*auth.User { return s.sources.allAwaited(time.Now()) }

// Calls returns how many calls are in progress: accepted, and neither a link
// nor rejected.
func (s *Server) Calls() int { return s.calls.Taken() }
