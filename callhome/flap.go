package callhome

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
)

const (
	// A link that the device or the network ends within shortLink costs the device
	// as much: one in that time is forgiven for ever, and flapsAtOnce besides.
	shortLink   = 30 * time.Second
	flapsAtOnce = 10
	// flapHold is how long a device that flaps is kept out. It begins anew then.
	flapHold = 5 * time.Minute
	// maxFlapping bounds how many are kept out at a time, and maxFlappers of how
	// many it is known what they owe.
	maxFlapping = 4096
	maxFlappers = 16_384
)

// flapping is a device whose calls are rejected for a while, because its links
// ended again and again soon after they had come up.
type flapping struct {
	device   string
	identity auth.Identity
	until    time.Time // when it is let in again
	detail   string    // why its last link ended
}

// flaps keep devices out whose links come and go: each takes a login from the
// device, and from its managers all that they had begun.
type flaps struct {
	log   hclog.Logger
	short *auth.Debts[string] // by device

	mu   sync.Mutex // guards kept
	kept map[string]*flapping
}

func newFlaps(log hclog.Logger) *flaps {
	return &flaps{log: log, short: auth.NewDebts[string](maxFlappers), kept: make(map[string]*flapping)}
}

// ended looks at a link that has ended. One that somebody ended here does not
// count.
func (f *flaps) ended(l *Link) {
	var byDevice deviceEnd
	if time.Since(l.since) >= shortLink || !errors.As(l.Err(), &byDevice) || f.short.Take(l.name, shortLink, flapsAtOnce*shortLink) {
		return
	}
	k := &flapping{device: l.name, identity: l.identity, until: time.Now().Add(flapHold), detail: byDevice.Error()}
	if f.begin(k) {
		f.log.Warn("a device flaps, its calls are rejected for a while", "device", k.device, "until", k.until.Format(time.DateTime), "detail", k.detail)
	}
}

// begin keeps the device out, unless it is, or there are too many.
func (f *flaps) begin(k *flapping) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.kept) >= maxFlapping {
		maps.DeleteFunc(f.kept, func(_ string, k *flapping) bool { return k.over() })
	}
	if old := f.kept[k.device]; old != nil && !old.over() || len(f.kept) >= maxFlapping {
		return false
	}
	f.kept[k.device] = k
	f.short.Pay(k.device, flapsAtOnce*shortLink)
	return true
}

// over reports whether the device is to be let in again. That is noticed when it
// calls: a timer would outlive the server.
func (k *flapping) over() bool { return !time.Now().Before(k.until) }

// end lets the device in again, unless it was already.
func (f *flaps) end(k *flapping) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept[k.device] != k {
		return false
	}
	f.endLocked(k)
	return true
}

func (f *flaps) endLocked(k *flapping) {
	delete(f.kept, k.device)
	f.log.Info("a device that flapped is let in again", "device", k.device)
}

// rejects rejects a device that is kept out and has proved who it is.
func (f *flaps) rejects(b *binding) *rejection {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.kept[b.name]
	if k == nil || !b.trusted() {
		return nil
	}
	if k.over() {
		f.endLocked(k)
		return nil
	}
	return reject(RejectedFlapping, "%s is let in again at %s, because more than %d of its connections in a row ended within %s each, the last one since %s: see what the device and the network between do, and clear its failures to let it in at once (failure clear)",
		k.device, k.until.Format(time.DateTime), flapsAtOnce, shortLink, k.detail)
}

// clear lets the devices in of whose identity match is true, and returns how many.
func (f *flaps) clear(match func(auth.Identity) bool) int {
	cleared := 0
	for _, k := range f.list() {
		if match(k.identity) && f.end(k) {
			cleared++
		}
	}
	return cleared
}

// list returns the devices that are kept out.
func (f *flaps) list() []*flapping {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(f.kept)), (*flapping).over)
}
