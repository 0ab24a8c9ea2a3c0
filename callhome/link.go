package callhome

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// ErrLinkEnded is returned by the methods of a link that has ended.
var ErrLinkEnded = errors.New("the connection to the device has ended")

// Link is an authenticated SSH connection to a device, from login until it
// ends. It ends when the device or the network ends it, when its control
// session ends, or by Close. All methods may be called concurrently.
type Link struct {
	name     string
	identity auth.Identity
	user     string
	remote   netip.AddrPort
	since    time.Time
	epoch    uint64 // set when the link is claimed, before anybody else sees it
	attached bool   // Attach was told; set and read while or after it is set up
	broken   func() // told when x/crypto does not end the connection
	hello    HelloOptions
	liveness liveness

	call *callConn
	ssh  ssh.Conn
	// control is set once the session is open, before the link is claimed.
	control atomic.Pointer[Session]
	// controlRequests carries the control session's requests to serve.
	controlRequests chan (<-chan *ssh.Request)

	// outstanding counts the RPCs that the device has not answered yet, over
	// all sessions of the link.
	outstanding atomic.Int64
	// pinging is set while the answer to a global request is awaited, poking
	// while one without an answer is written.
	pinging, poking atomic.Bool

	// opening holds a token for each session that is being opened: a busy
	// device must not collect the attempts of managers that try again and again.
	opening chan struct{}

	ending chan struct{} // closed when the link begins to end
	done   chan struct{} // closed when all its goroutines have ended
	wg     sync.WaitGroup

	mu      sync.Mutex // guards the following
	err     error      // why it ended; set with ended
	ended   bool
	probing *probe
}

// Name returns the device's name.
func (l *Link) Name() string { return l.name }

// Identity returns what the device proved.
func (l *Link) Identity() auth.Identity { return l.identity }

// User returns the name of the user entry that logged in.
func (l *Link) User() string { return l.user }

// Remote returns the address that called.
func (l *Link) Remote() netip.AddrPort { return l.remote }

// Since returns when the device had logged in.
func (l *Link) Since() time.Time { return l.since }

// Transport returns "ssh".
func (l *Link) Transport() string { return "ssh" }

// Epoch numbers the links of a server in the order in which they came up.
func (l *Link) Epoch() uint64 { return l.epoch }

// Control returns the gateway's own session on the link. It belongs to the
// link: its Hello may be read, nothing else used.
func (l *Link) Control() *Session { return l.control.Load() }

// Busy reports that the device acknowledges but does not answer: it is at work
// on a long RPC, as libnetconf2 is for as long as one lasts.
func (l *Link) Busy() bool { return l.pinging.Load() && l.call.silence() > busyAfter }

// Done is closed when the link has ended and all its goroutines with it.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err returns why the link ended, or nil while it has not.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close ends the link and returns when all its goroutines have ended.
func (l *Link) Close() error { return l.CloseFor(errors.New("closed by the gateway")) }

// CloseFor is Close with the reason that Err gives and the log shows.
func (l *Link) CloseFor(reason error) error {
	l.end(reason)
	<-l.done
	return nil
}

// end begins the end of the link, once. Nothing can be read or written any
// more; the connection itself is closed when the goroutines have ended, or
// later where the link never came up and the call is held.
func (l *Link) end(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended, l.err = true, reason
	close(l.ending)
	_ = l.call.Close()
}

// spawn runs f on a goroutine of the link, and reports false when the link has
// begun to end.
func (l *Link) spawn(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spawnLocked(f)
}

func (l *Link) spawnLocked(f func()) bool {
	if l.ended {
		return false
	}
	l.wg.Go(f)
	return true
}

// serve answers what the device asks for on the connection, keeps it alive,
// and returns when the link has ended. One goroutine does all of it, since
// there is one for each of ten thousand devices: unanswered requests would
// block the whole connection. An answer may block for as long as the device
// takes no data, so each has a goroutine of its own, one at a time: the timer
// must go on, or nobody would notice that the network has gone silent.
func (l *Link) serve(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	var control <-chan *ssh.Request // of the control session, once there is one
	answered := make(chan struct{}, 1)
	timer := time.NewTimer(l.untilDue())
	defer timer.Stop()
	for answering := false; channels != nil || requests != nil; {
		opens, globals, locals := channels, requests, control
		if answering {
			opens, globals, locals = nil, nil, nil
		}
		select {
		case channel, ok := <-opens:
			if !ok {
				channels = nil
				continue
			}
			answering = l.refuse(channel, answered)
		case request, ok := <-globals:
			if !ok {
				requests = nil
				continue
			}
			answering = l.deny(request, answered)
		case request, ok := <-locals:
			if !ok {
				control = nil
				continue
			}
			answering = l.deny(request, answered)
		case <-answered:
			answering = false
		case control = <-l.controlRequests:
		case <-timer.C:
			l.keepAlive()
			timer.Reset(l.untilDue())
		}
	}
	l.endAsSSH()
}

// refuse refuses a channel that the device wants to open. It reports whether
// answered will be told.
func (l *Link) refuse(channel ssh.NewChannel, answered chan<- struct{}) bool {
	return l.spawn(func() {
		_ = channel.Reject(ssh.Prohibited, "the NETCONF client opens the channels")
		answered <- struct{}{}
	})
}

// deny answers a request of the device, as refuse does.
func (l *Link) deny(request *ssh.Request, answered chan<- struct{}) bool {
	return l.spawn(func() {
		_ = request.Reply(false, nil)
		answered <- struct{}{}
	})
}

// endAsSSH ends the link for the reason that x/crypto gives, if it does.
func (l *Link) endAsSSH() {
	ended := make(chan error, 1)
	go func() { ended <- l.ssh.Wait() }() // for ever only where x/crypto hangs
	late := time.NewTimer(brokenWait)
	defer late.Stop()
	select {
	case err := <-ended:
		l.end(l.networkError(err))
	case <-late.C:
		l.end(errors.New("the device broke the SSH protocol"))
		// On a machine under load it may only be late.
		time.AfterFunc(brokenGrace, func() {
			if len(ended) == 0 {
				l.broken()
			}
		})
	}
}

// watchControl reads the control session to its end, which is the link's.
func (l *Link) watchControl() {
	for {
		if _, err := l.Control().Next(); err != nil {
			l.end(l.networkError(err))
			return
		}
	}
}

// networkError says why the connection ended, as far as the network told.
func (l *Link) networkError(err error) error {
	failure := l.call.failed()
	switch {
	case failure != nil:
		return describeNetwork(failure)
	case err == nil:
		return errors.New("the device ended the connection")
	}
	return describeNetwork(err)
}

// run starts the link's goroutines. ended is called once they have ended.
func (l *Link) run(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, ended func()) {
	go func() {
		l.serve(channels, requests)
		l.wg.Wait()
		ended()
		close(l.done)
	}()
}

// openControl opens the control session: the first channel of the connection,
// kept as long as the link, since devices drop a call-home connection without
// a NETCONF session.
func (l *Link) openControl(ctx context.Context) error {
	control, err := l.openSession(ctx, func(s *Session) bool {
		l.controlRequests <- s.requests
		return true
	})
	if err != nil {
		return err
	}
	l.control.Store(control)
	if !l.spawn(l.watchControl) {
		return ErrLinkEnded
	}
	return nil
}

// Open starts one NETCONF session with the device on an SSH channel of its
// own: the hellos are exchanged and the framing is settled when it returns. It
// waits for the device at most as long as ctx and 60 s. The error wraps
// ErrNoSession when the device allows no further one at present.
func (l *Link) Open(ctx context.Context) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	type result struct {
		session *Session
		err     error
	}
	opened := make(chan result)
	select {
	case l.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, l.openTimedOut(ctx)
	}
	ok := l.spawn(func() {
		defer func() { <-l.opening }()
		session, err := l.openSession(ctx, (*Session).refuseRequests)
		select {
		case opened <- result{session, err}:
		case <-ctx.Done():
			if session != nil {
				_ = session.Close()
			}
		}
	})
	if !ok {
		<-l.opening
		return nil, ErrLinkEnded
	}
	select {
	case r := <-opened:
		return r.session, r.err
	case <-ctx.Done():
		return nil, l.openTimedOut(ctx)
	}
}

func (l *Link) openTimedOut(ctx context.Context) error {
	if err := l.Err(); err != nil {
		return ErrLinkEnded
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("the device did not open a NETCONF session in time; it may be at work on a long request")
	}
	return ctx.Err()
}
