package callhome

import (
	"cmp"
	"errors"
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

// Flapping is a device whose calls are rejected for a while, because its links
// ended again and again soon after they had come up.
type Flapping struct {
	Device   string
	Identity auth.Identity
	// Until is when it is let in again.
	Until time.Time
	// Detail says why its last link ended.
	Detail string
}

// flaps keep devices out whose links come and go: each takes a login from the
// device, and from its managers all that they had begun.
type flaps struct {
	log   hclog.Logger
	short *auth.Debts[string] // by device

	mu   sync.Mutex // guards kept
	kept map[string]*Flapping
}

func newFlaps(log hclog.Logger) *flaps {
	return &flaps{log: log, short: auth.NewDebts[string](maxFlappers), kept: make(map[string]*Flapping)}
}

// ended looks at a link that has ended. One that somebody ended here does not
// count.
func (f *flaps) ended(l *Link) {
	var byDevice deviceEnd
	if time.Since(l.since) >= shortLink || !errors.As(l.Err(), &byDevice) || f.short.Take(l.name, shortLink, flapsAtOnce*shortLink) {
		return
	}
	k := &Flapping{Device: l.name, Identity: l.identity, Until: time.Now().Add(flapHold), Detail: byDevice.Error()}
	if f.begin(k) {
		time.AfterFunc(flapHold, func() { f.end(k) })
		f.log.Warn("a device flaps, its calls are rejected for a while", "device", k.Device, "until", k.Until.Format(time.DateTime), "detail", k.Detail)
	}
}

// begin keeps the device out, unless it is, or there are too many.
func (f *flaps) begin(k *Flapping) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept[k.Device] != nil || len(f.kept) >= maxFlapping {
		return false
	}
	f.kept[k.Device] = k
	f.short.Pay(k.Device, flapsAtOnce*shortLink)
	return true
}

// end lets the device in again, unless that was done before.
func (f *flaps) end(k *Flapping) {
	f.mu.Lock()
	ends := f.kept[k.Device] == k
	if ends {
		delete(f.kept, k.Device)
	}
	f.mu.Unlock()
	if ends {
		f.log.Info("a device that flapped is let in again", "device", k.Device)
	}
}

// rejects rejects a device that is kept out and has proved who it is.
func (f *flaps) rejects(b *binding) *rejection {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.kept[b.name]
	if k == nil || !b.trusted() {
		return nil
	}
	return reject(RejectedFlapping, "%s is let in again at %s, because more than %d of its connections in a row ended within %s each, the last one since %s: see what the device and the network between do, and clear its failures to let it in at once (failure clear)",
		k.Device, k.Until.Format(time.DateTime), flapsAtOnce, shortLink, k.Detail)
}

// clear lets the devices in of whose identity match is true, and returns how many.
func (f *flaps) clear(match func(auth.Identity) bool) int {
	cleared := 0
	for _, k := range f.list() {
		if match(k.Identity) {
			f.end(k)
			cleared++
		}
	}
	return cleared
}

// list returns the devices that are kept out, by name.
func (f *flaps) list() []*Flapping {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*Flapping, 0, len(f.kept))
	for _, k := range f.kept {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b *Flapping) int { return cmp.Compare(a.Device, b.Device) })
	return list
}

// Flapping returns the devices that are kept out for a while because their links
// did not last, by name.
func (s *Server) Flapping() []Flapping {
	kept := s.flaps.list()
	list := make([]Flapping, len(kept))
	for i, k := range kept {
		list[i] = *k
	}
	return list
}
