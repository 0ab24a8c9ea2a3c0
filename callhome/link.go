package callhome

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"
)

// ErrLinkEnded is returned by the methods of a link that has ended.
var ErrLinkEnded = errors.New("the connection to the device has ended")

// Link is an authenticated SSH or TLS connection to a device, from login until
// it ends. It ends when the device or the network ends it, when its control
// session ends, or by Close. All methods may be called concurrently.
type Link struct {
	name     string
	identity auth.Identity
	// user and username are those of the user entry.
	user, username string
	remote         netip.AddrPort
	called         *Listener // as ServeListener was given it
	since          time.Time
	epoch          uint64      // set when the link is claimed, before anybody else sees it
	attached       atomic.Bool // Attach was told
	liveness       liveness

	// The following say how the device came in, for when the configuration
	// changes. Most devices have none of it; see approach, proof and HelloOptions.
	claim  *claim
	shown  *proof
	hello  *HelloOptions
	chosen string
	own    *auth.User

	call *callConn
	// bearer is what is SSH or TLS about the link.
	bearer bearer
	// control is set once the session is open, before the link is claimed.
	control atomic.Pointer[Session]
	// handler is told of the control session's messages once there is a Trunk;
	// handling is set while it looks at one.
	handler  atomic.Pointer[func(*Message)]
	handling atomic.Bool

	// outstanding counts the RPCs that the device has not answered yet, over
	// all sessions of the link; idleOwed those of them that are idle RPCs.
	outstanding, idleOwed atomic.Int64
	idleSending           atomic.Bool // an idle RPC is being written

	// opening holds a token for each session that is being opened: a busy
	// device must not collect the attempts of managers that try again and again.
	opening chan struct{}

	ending chan struct{} // closed when the link begins to end
	done   chan struct{} // closed when all its goroutines have ended
	wg     sync.WaitGroup

	mu      sync.Mutex // guards the following
	err     error      // why it ended; set with ended
	ended   bool
	timer   *time.Timer
	probing *probe
}

// bearer is the connection under a link: SSH, with a channel for each session,
// or TLS, which is one session.
type bearer interface {
	transport() Transport
	algorithms() Algorithms
	// serve does what the connection itself needs for as long as it lives,
	// and ends the link.
	serve()
	// openControl opens the control session, once. It is kept as long as the
	// link: devices drop a call-home connection without a NETCONF session.
	openControl(ctx context.Context) error
	// openFurther opens a session for a manager.
	openFurther(ctx context.Context) (*Session, error)

	// keepAlive is called again and again while the device is silent, to give
	// its TCP something to acknowledge, or the device something to answer. It
	// does not block.
	keepAlive()
	// ask asks the device for an answer, unless it owes one.
	ask()
	owesAnswer() bool
	// provoke makes the device's TCP acknowledge something soon, and returns
	// what ends that, or false when the link is ending.
	provoke() (stop func(), ok bool)
	// sayGoodbye announces the end of the connection and closes the call. It
	// takes a second at most.
	sayGoodbye()
}

// Name returns the device's name.
func (l *Link) Name() string { return l.name }

// Identity returns what the device proved.
func (l *Link) Identity() auth.Identity { return l.identity }

// User returns the name of the user entry that logged in.
func (l *Link) User() string { return l.user }

// Remote returns the address that called.
func (l *Link) Remote() netip.AddrPort { return l.remote }

// Listener returns the name of the listener that was called; the main one has none.
func (l *Link) Listener() string { return l.called.Name }

// DeviceID returns what the device says that it is (see CallInfo); empty for those
// that say nothing.
func (l *Link) DeviceID() string {
	if l.claim == nil {
		return ""
	}
	return l.claim.deviceID
}

// Since returns when the device had logged in.
func (l *Link) Since() time.Time { return l.since }

// Transport returns "ssh" or "tls".
func (l *Link) Transport() string { return string(l.bearer.transport()) }

// Epoch numbers the links of a server in the order in which they came up.
func (l *Link) Epoch() uint64 { return l.epoch }

// Control returns the gateway's own session on the link. It belongs to the
// link: its Hello may be read, nothing else used but through a Trunk.
func (l *Link) Control() *Session { return l.control.Load() }

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
// more, but for a goodbye; the connection itself is closed when the goroutines
// have ended, or later where the link never came up and the call is held.
func (l *Link) end(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	defer l.wg.Done() // newLink's
	l.ended, l.err = true, reason
	close(l.ending)
	if l.timer != nil && l.timer.Stop() {
		l.wg.Done()
	}
	if l.attached.Load() {
		l.wg.Go(l.bearer.sayGoodbye)
		return
	}
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

// run starts the link's goroutine and its timer. ended is called once all
// goroutines have ended.
func (l *Link) run(ended func()) {
	l.schedule()
	go func() {
		l.bearer.serve()
		l.wg.Wait()
		ended()
		close(l.done)
	}()
}

// schedule sets the timer for the next look at the link's liveness. It is a
// timer and no goroutine, since there is one for each of ten thousand devices.
func (l *Link) schedule() {
	due := l.untilDue()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.wg.Add(1)
	l.timer = time.AfterFunc(due, func() {
		defer l.wg.Done()
		l.keepAlive()
		l.schedule()
	})
}

// watchControl reads the control session to its end, which is the link's.
func (l *Link) watchControl() {
	for {
		m, err := l.Control().Next()
		if err != nil {
			l.end(l.networkError(err))
			return
		}
		l.dispatch(m)
	}
}

// networkError says why the connection ended, as far as the network told.
func (l *Link) networkError(err error) error {
	failure := l.call.failed()
	switch {
	case failure != nil:
		return describeNetwork(failure)
	case err == nil:
		return deviceEnd("the device ended the connection")
	}
	return describeNetwork(err)
}
