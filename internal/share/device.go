package share

import (
	"fmt"
	"sync"
	"time"

	"callhome-gateway/internal/netconf"

	"github.com/hashicorp/go-hclog"
)

// Trunk is the device session that is shared; callhome.Trunk is one.
type Trunk interface {
	Hello() *netconf.Hello
	Framing() netconf.Framing
	// Send writes one whole message. It is called by one goroutine at a time.
	// An error means that the link is ending.
	Send(*netconf.Message) error
	// Go runs a function on a goroutine that the link's end waits for; it
	// reports false, and does nothing, when the link has begun to end.
	Go(func()) bool
	// Ending is closed when the link begins to end.
	Ending() <-chan struct{}
	// End begins the end of the link, without waiting for it.
	End(reason error)
}

// defaultPatience is far beyond what devices take for a long commit.
const defaultPatience = 10 * time.Minute

// Options configures a Device.
type Options struct {
	// Exclusive lets one manager in at a time. It may use all that the device
	// offers; what it leaves that cannot be undone ends the link.
	Exclusive bool
	// Log is told of what managers do to each other. None by default.
	Log hclog.Logger
	// Patience is how long the device may be silent over an rpc whose manager
	// has gone, before the link is ended, and how long others wait for one
	// whose manager is there, before they get an error. 10 min when 0.
	Patience time.Duration
}

// Device is a device whose managers share one session with it. It has the life
// of the trunk: there is nothing to close. Its methods may be called by any
// goroutine.
type Device struct {
	o     Options
	trunk Trunk
	own   uint32 // session-id of the trunk
	// offered are the capabilities that managers are shown.
	offered []string

	// mu guards the following. It is a leaf, and never held while anything is
	// waited for.
	mu       sync.Mutex
	state    *state
	ids      sessionIDs
	requests messageIDs
	sessions map[uint32]*Session // until what they leave is cleaned up
	queue    []*turn             // in order of arrival, one a session at most
	leavers  []*Session          // whose clean-up has not begun
	current  *turn
	chores   func() // to be run on a goroutine once mu is free
	fatal    error  // why the link ends; no turn begins any more
	told     bool   // the trunk knows
}

// New returns the device behind the trunk that connect gives. handle is what
// the trunk's messages go to: in order, from one goroutine, which it may block
// until a manager has read the message's Body or is gone.
func New(connect func(handle func(*netconf.Message)) Trunk, o Options) *Device {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	d := &Device{o: o, ids: newSessionIDs(), requests: newMessageIDs(), sessions: make(map[uint32]*Session)}
	d.mu.Lock() // a message may come before the trunk is known
	defer d.mu.Unlock()
	d.trunk = connect(d.handle)
	hello := d.trunk.Hello()
	d.own, d.offered = hello.SessionID, offer(hello, o.Exclusive)
	d.state = newState(abilitiesOf(hello, d.trunk.Framing()), o.Exclusive)
	return d
}

// Open starts a session for one more manager. It does not block. The error
// wraps ErrExclusive or ErrEnding.
func (d *Device) Open() (*Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isEnding() {
		return nil, ErrEnding
	}
	if d.o.Exclusive {
		for _, s := range d.sessions {
			if !s.retired {
				return nil, fmt.Errorf("%w, and session %d has it: try again when that has ended", ErrExclusive, s.id)
			}
		}
	}
	id := d.ids.next(func(id uint32) bool { return d.sessions[id] != nil || id == d.own })
	s := newSession(d, id)
	d.sessions[id] = s
	return s, nil
}

// handle takes the device's messages, one after the other.
func (d *Device) handle(m *netconf.Message) {
	switch m.Head.Kind {
	case netconf.KindReply:
		d.reply(m)
	case netconf.KindNotification:
		d.notify(m)
	default:
		d.unreadable(m)
	}
}

func (d *Device) isEnding() bool {
	select {
	case <-d.trunk.Ending():
		return true
	default:
		return false
	}
}

// fail ends the link.
func (d *Device) fail(reason error) {
	d.mu.Lock()
	defer d.unlock()
	d.endWith(reason)
}

// endWith has the link end once mu is free.
func (d *Device) endWith(reason error) {
	if d.fatal == nil {
		d.fatal = reason
	}
}

// unlock gives mu back, and then does what is not to be done under it.
func (d *Device) unlock() {
	chores := d.chores
	tell := d.fatal != nil && !d.told
	d.chores, d.told = nil, d.told || tell
	d.mu.Unlock()
	if tell {
		d.trunk.End(d.fatal) // written once
	}
	if chores != nil {
		d.trunk.Go(chores) // if not, what the device holds goes with the link
	}
}
