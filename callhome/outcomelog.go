package callhome

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// repeatAfter is when an outcome that repeats itself is logged again, with
	// how often it came. The time doubles up to repeatAtMost while it goes on.
	repeatAfter  = time.Minute
	repeatAtMost = 10 * time.Minute
	// crowdEvery is how often a crowd is counted, and for how long there must be
	// none before each of its calls is logged again.
	crowdEvery = 10 * time.Second
	// Of each reason so many outcomes are logged before the others are a crowd:
	// of strangers, and of devices that are known.
	firstStrangers = 10
	firstKnown     = 200
	// maxRepeats and maxCrowdSources bound the memory.
	maxRepeats      = 4096
	maxCrowdSources = 4096
)

// outcomeLog writes the outcomes of calls for people to read, however many
// there are. What is new is logged at once. What repeats itself, the same of the
// same device from the same source, is counted. Of many that are not the same
// the first are logged, and the others counted as a crowd. What is accepted is
// always logged. Changed keys are a crowd of their own for each device: whoever
// makes up keys for one cannot hide, nor fill the log.
type outcomeLog struct {
	log hclog.Logger

	mu      sync.Mutex // guards the following
	repeats map[repeatKey]*repeat
	crowds  map[crowdKey]*crowd
	ticking bool
}

type repeatKey struct {
	reason   Reason
	source   netip.Prefix
	device   string
	identity string
}

// repeat is an outcome that was logged, and how often it came since.
type repeat struct {
	last     Outcome
	count    int
	since    time.Time
	interval time.Duration
}

type crowdKey struct {
	reason Reason
	known  bool
	// device is that of RejectedKeyChanged, and empty for others.
	device string
}

// crowd are the outcomes of one reason within crowdEvery.
type crowd struct {
	logged  int
	last    Outcome
	count   int
	sources map[netip.Prefix]struct{}
}

func newOutcomeLog(log hclog.Logger) *outcomeLog {
	return &outcomeLog{log: log, repeats: make(map[repeatKey]*repeat), crowds: make(map[crowdKey]*crowd)}
}

// caller is what the log must know of who called, beside the outcome.
type caller struct {
	source netip.Prefix
	// known says that the device is one of ours.
	known bool
	// penalised says that nothing good comes from the source.
	penalised bool
}

func (l *outcomeLog) add(o Outcome, from caller) {
	if o.Reason == Accepted || l.logs(o, from) {
		l.line(o)
	}
}

// logs reports whether the outcome is to be logged now. If not it is counted.
func (l *outcomeLog) logs(o Outcome, from caller) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tickLocked()
	key := repeatKey{o.Reason, from.source, o.Device, o.Identity.Fingerprint}
	if r := l.repeats[key]; r != nil {
		r.last = o
		r.count++
		return false
	}
	if !l.firstLocked(o, from) {
		return false
	}
	if len(l.repeats) < maxRepeats {
		l.repeats[key] = &repeat{since: o.Time, interval: repeatAfter}
	}
	return true
}

// firstLocked reports whether the outcome is among the first of its reason; if
// not it is one of a crowd.
func (l *outcomeLog) firstLocked(o Outcome, from caller) bool {
	key, first, counted := crowdKey{reason: o.Reason, known: from.known}, firstStrangers, from.penalised
	switch {
	case o.Reason == RejectedKeyChanged:
		key.device, counted = o.Device, false
	case from.known:
		first = firstKnown
	}
	c := l.crowds[key]
	if c == nil {
		c = &crowd{sources: make(map[netip.Prefix]struct{})}
		l.crowds[key] = c
	}
	if c.logged < first && c.count == 0 && !counted {
		c.logged++
		return true
	}
	c.last = o
	c.count++
	if len(c.sources) < maxCrowdSources {
		c.sources[from.source] = struct{}{}
	}
	return false
}

// tickLocked has the counts looked after, as long as there are any.
func (l *outcomeLog) tickLocked() {
	if !l.ticking {
		l.ticking = true
		time.AfterFunc(crowdEvery, l.tick)
	}
}

func (l *outcomeLog) tick() {
	l.mu.Lock()
	repeats, crowds := l.dueLocked(time.Now())
	if l.ticking = false; len(l.repeats)+len(l.crowds) > 0 {
		l.tickLocked()
	}
	l.mu.Unlock()
	for _, r := range repeats {
		l.line(r.last, "repeated", r.count, "within", time.Since(r.since).Round(time.Second))
	}
	for _, c := range crowds {
		args := []any{"reason", string(c.last.Reason), "calls", c.count, "sources", len(c.sources),
			"within", crowdEvery, "last_remote", c.last.Remote, "last_detail", c.last.Detail}
		if c.last.Reason == RejectedKeyChanged {
			l.log.Error("a device shows many other keys", append(args, "device", c.last.Device)...)
			continue
		}
		l.log.Warn("many calls were not accepted", args...)
	}
}

// dueLocked takes the counts that are to be logged, and forgets what has not
// come again.
func (l *outcomeLog) dueLocked(now time.Time) (repeats []repeat, crowds []crowd) {
	for key, r := range l.repeats {
		switch {
		case now.Sub(r.since) < r.interval:
			continue
		case r.count == 0:
			delete(l.repeats, key)
			continue
		}
		repeats = append(repeats, *r)
		r.count, r.since, r.interval = 0, now, min(2*r.interval, repeatAtMost)
	}
	for key, c := range l.crowds {
		if c.count == 0 {
			delete(l.crowds, key)
			continue
		}
		crowds = append(crowds, *c)
		c.count, c.sources = 0, make(map[netip.Prefix]struct{})
		c.logged = max(firstStrangers, firstKnown)
	}
	return repeats, crowds
}

// line logs one outcome.
func (l *outcomeLog) line(o Outcome, more ...any) {
	args := []any{"reason", string(o.Reason), "transport", string(o.Transport), "remote", o.Remote}
	if o.Listener != "" {
		args = append(args, "listener", o.Listener)
	}
	if o.Device != "" {
		args = append(args, "device", o.Device)
	}
	if !o.Identity.IsZero() {
		args = append(args, "identity", o.Identity.Fingerprint, "identity_type", o.Identity.Type)
	}
	if o.User != "" {
		args = append(args, "user", o.User)
	}
	if o.Reason == Accepted {
		l.log.Info("a device is connected", append(args, "took", o.Took.Round(time.Millisecond))...)
		return
	}
	args = append(append(args, "detail", o.Detail), more...)
	switch o.Reason {
	case RejectedKeyChanged:
		l.log.Error("a device shows another key", args...)
	case RejectedPending:
		// It calls every few seconds until somebody decides.
		l.log.Info("a device waits for approval", args...)
	default:
		l.log.Warn("a call was not accepted", args...)
	}
}
