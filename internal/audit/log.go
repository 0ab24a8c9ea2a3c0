package audit

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/redact"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxQueue bounds what waits to be written, in bytes, but for one record.
	maxQueue = 4 << 20
	// recordWeight is what a record counts besides its body.
	recordWeight = 512
	// patience is how long a disk may be at work while managers wait for room in the
	// queue. Then records are lost: one that takes nothing must not hold up all.
	patience = time.Second
	// hungAfter is when a disk counts as one that takes nothing even though there is
	// room, and how long the Log waits for it when its options change or it is closed.
	hungAfter = 5 * time.Second
	// linger is the time between two writes: many records are one write then.
	linger = 5 * time.Millisecond
	// syncEvery is how often what was written is made safe against a loss of power,
	// and how often a file that could not be written is tried again.
	syncEvery = time.Second
)

// Options say what a Log writes. The zero value is a Log that writes nothing.
type Options struct {
	File string
	// Bodies are the operations whose requests are written with their text, of
	// all with AllBodies; BodyLimit is how much of each, in bytes.
	Bodies    []auth.Operation
	AllBodies bool
	BodyLimit int
	// Redact are the names of elements that are secret, besides those that always
	// are; see redact.New.
	Redact []string
	// Stop lets no manager session begin while the file cannot be written.
	Stop bool
}

// settings are Options in use.
type settings struct {
	Options
	bodies   map[auth.Operation]bool
	redactor *redact.Redactor
}

// Log is a gateway.Recorder that appends a line of JSON to a file for each record;
// docs/audit.md has the fields. Lines are written whole, in the order in which
// they were told, by a goroutine that Close ends. While the file cannot be
// written, 4 MiB of them are kept and it is tried again every second; what does
// not fit is counted, and a line says how many were lost.
type Log struct {
	log      hclog.Logger
	settings atomic.Pointer[settings] // nil while it writes nothing
	logins   logins
	wake     chan struct{} // holds a token when there is something to write
	stop     chan struct{}
	stopped  chan struct{}

	mu      sync.Mutex    // guards the following; a leaf
	queue   []any         // the records
	weight  int           // of them, in bytes
	room    chan struct{} // closed when there is more room; nil while nobody waits
	lost    int
	problem error // why the file cannot be written, or nil
	closed  bool

	file file
}

// New returns a Log that writes nothing yet. Close must be called.
func New(log hclog.Logger) *Log {
	l := &Log{log: log, wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{})}
	l.file.open, l.file.turn = openDisk, make(chan struct{}, 1)
	go l.run()
	return l
}

// Use replaces the options. The file is opened again also if it is the same one:
// it may have been moved away. After an error all is as before, as where the disk of
// the old file does not answer.
func (l *Log) Use(o Options) error {
	s := &settings{Options: o, bodies: make(map[auth.Operation]bool)}
	for _, operation := range o.Bodies {
		s.bodies[operation] = true
	}
	var err error
	if s.redactor, err = redact.New(o.Redact); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if o.File == "" {
		s = nil
	}
	if !l.file.lockWithin(hungAfter) {
		return fmt.Errorf("audit: what was written so far cannot be completed: %w", errHung)
	}
	defer l.file.unlock()
	l.writeLocked() // where it belongs
	if err := l.file.useLocked(o.File); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	l.settings.Store(s)
	l.settle(l.file.flushLocked())
	return nil
}

// Close writes what is left, and returns why it cannot, after some seconds where
// the disk does not answer. What is told the Log later is not written.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	select {
	case <-l.stopped:
	case <-time.After(hungAfter):
		return fmt.Errorf("audit: what was written last is lost: %w", errHung)
	}
	l.file.lock()
	defer l.file.unlock()
	return errors.Join(l.Problem(), l.file.closeLocked())
}

// Problem returns why the file cannot be written at present, or nil.
func (l *Log) Problem() error {
	if l.file.hung(hungAfter) {
		return errHung
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problem
}

var errStopped = errors.New("the audit of this gateway cannot be written, and no session may be without it")

// Admit implements gateway.Recorder.
func (l *Log) Admit() error {
	if s := l.settings.Load(); s != nil && s.Stop && l.Problem() != nil {
		return errStopped
	}
	return nil
}

// Bodies implements gateway.Recorder.
func (l *Log) Bodies(namespace, operation string) int {
	s := l.settings.Load()
	if s == nil || !s.AllBodies && !s.bodies[auth.Operation{Namespace: namespace, Name: operation}] {
		return 0
	}
	return s.BodyLimit
}

// LoginRefused implements gateway.Recorder.
func (l *Log) LoginRefused(r gateway.LoginRecord) {
	if l.settings.Load() != nil && l.logins.note(r) {
		l.add(refusedLogins{r, 1}, 0)
	}
}

// SessionBegins implements gateway.Recorder.
func (l *Log) SessionBegins(r gateway.SessionRecord) { l.add(r, 0) }

// SessionEnds implements gateway.Recorder.
func (l *Log) SessionEnds(r gateway.SessionEnd) { l.add(r, 0) }

// Requested implements gateway.Recorder.
func (l *Log) Requested(r gateway.RequestRecord) {
	// Others may have asked for more of it.
	r.Body = r.Body[:min(len(r.Body), l.Bodies(r.Namespace, r.Operation))]
	l.add(r, len(r.Body))
}

// errHung is why a file cannot be written whose disk takes and refuses nothing.
var errHung = errors.New("the disk does not answer")

// add queues a record. It waits for room as long as others are written, and not at
// all where that would be in vain.
func (l *Log) add(record any, body int) {
	if l.settings.Load() == nil {
		return
	}
	weight := recordWeight + body
	room := l.tryAdd(record, weight)
	if room == nil {
		return
	}
	late := time.NewTicker(patience)
	defer late.Stop()
	for room != nil {
		select {
		case <-room:
		case <-late.C:
			if l.file.hung(patience) {
				l.settle(errHung)
			}
		}
		room = l.tryAdd(record, weight)
	}
}

// tryAdd queues a record, or drops it, or returns what to wait for.
func (l *Log) tryAdd(record any, weight int) (room <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil
	case l.weight == 0 || l.weight+weight <= maxQueue:
		l.queue, l.weight = append(l.queue, record), l.weight+weight
		if len(l.queue) == 1 {
			l.wakeUp()
		}
		return nil
	case l.problem != nil:
		l.lost++
		return nil
	}
	if l.room == nil {
		l.room = make(chan struct{})
	}
	return l.room
}

func (l *Log) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take returns what is queued, and how many records were lost since.
func (l *Log) take() (records []any, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records, lost = l.queue, l.lost
	l.queue, l.weight, l.lost = nil, 0, 0
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
	return records, lost
}
