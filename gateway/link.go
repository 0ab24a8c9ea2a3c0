package gateway

import (
	"context"
	"sync"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"
	"callhome-gateway/internal/share"

	"github.com/hashicorp/go-hclog"
)

// session is one NETCONF session with a device, hellos exchanged. Send is used
// by one goroutine and Receive by one other, Close by any; Close ends both.
type session interface {
	Hello() *netconf.Hello
	Framing() netconf.Framing
	Send(*netconf.Message) error
	// Receive calls take with every message of the device, one at a time, on
	// whatever goroutine has it, and returns why there are no more: the error of
	// take, or another. The last take may then still run, and others wait for it.
	Receive(take func(*netconf.Message) error) error
	CloseSend() error
	Close() error
}

// link is what the gateway needs of a device's connection.
type link interface {
	Epoch() uint64
	Done() <-chan struct{}
	Err() error
	// CloseFor ends the connection for that reason, and returns when it has ended.
	CloseFor(reason error) error
	transport() callhome.Transport
	// hello returns the device's hello on the gateway's own session, which no
	// manager may kill.
	hello() *netconf.Hello
	// open returns a session of its own for one manager.
	open(ctx context.Context) (session, error)
	// trunk hands the gateway's own session over, to be shared. It is called
	// once at most.
	trunk(handle func(*netconf.Message)) share.Trunk
}

// callhomeLink is the link that a device has made by calling home.
type callhomeLink struct{ *callhome.Link }

func (l callhomeLink) transport() callhome.Transport { return callhome.Transport(l.Transport()) }

func (l callhomeLink) hello() *netconf.Hello { return l.Control().Hello() }

func (l callhomeLink) open(ctx context.Context) (session, error) {
	s, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	return ownSession{s}, nil
}

// ownSession is a session that the manager has for itself.
type ownSession struct{ *callhome.Session }

func (s ownSession) Receive(take func(*netconf.Message) error) error {
	return receiveFrom(s.Next, take)
}

func receiveFrom(next func() (*netconf.Message, error), take func(*netconf.Message) error) error {
	for {
		m, err := next()
		if err == nil {
			err = take(m)
		}
		if err != nil {
			return err
		}
	}
}

func (l callhomeLink) trunk(handle func(*netconf.Message)) share.Trunk { return l.Trunk(handle) }

// attachedLink is a link with what belongs to it for as long as it lasts.
type attachedLink struct {
	link
	// deciding holds a token while it is found out whether the device gives a
	// further session.
	deciding chan struct{}

	mu        sync.Mutex // guards the following
	shared    *share.Device
	exclusive bool // shared is for one manager at a time
}

func newAttachedLink(l link) *attachedLink {
	return &attachedLink{link: l, deciding: make(chan struct{}, 1)}
}

// openShared returns a share of the gateway's own session. The first call says
// whether only one manager at a time may have one; errSharedOtherwise is for those
// who want it the other way.
func (l *attachedLink) openShared(exclusive bool, log hclog.Logger) (session, error) {
	shared, err := l.share(exclusive, log)
	if err != nil {
		return nil, err
	}
	s, err := shared.Open()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (l *attachedLink) share(exclusive bool, log hclog.Logger) (*share.Device, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shared == nil {
		l.shared, l.exclusive = share.New(l.trunk, share.Options{Exclusive: exclusive, Log: log}), exclusive
	}
	if l.exclusive != exclusive {
		return nil, errSharedOtherwise
	}
	return l.shared, nil
}

// allows reports whether the sessions on the link can be shared like that.
func (l *attachedLink) allows(mode SessionMode) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shared == nil || mode != SessionsShared && mode != SessionsExclusive || l.exclusive == (mode == SessionsExclusive)
}
