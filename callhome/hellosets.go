package callhome

import (
	"crypto/sha256"
	"sync"
)

// helloSets keeps each set of capabilities once, however many devices share
// it: a fleet of one model has one, of a few kilobytes to a few tens.
type helloSets struct {
	mu   sync.Mutex // guards sets
	sets map[[sha256.Size]byte]*helloSet
}

type helloSet struct {
	capabilities []string
	users        int
}

func newHelloSets() *helloSets {
	return &helloSets{sets: make(map[[sha256.Size]byte]*helloSet)}
}

// share replaces the capabilities of a control session by the common copy, and
// drops the document that they came in.
func (h *helloSets) share(control *Session) {
	key := capabilitiesKey(control.hello.Capabilities)
	h.mu.Lock()
	defer h.mu.Unlock()
	set := h.sets[key]
	if set == nil {
		set = &helloSet{capabilities: control.hello.Capabilities}
		h.sets[key] = set
	}
	set.users++
	control.shared = true
	control.hello.Capabilities = set.capabilities
	control.hello.Raw = nil
}

// release gives the common copy back when the control session has ended.
func (h *helloSets) release(control *Session) {
	if control == nil || !control.shared {
		return
	}
	key := capabilitiesKey(control.hello.Capabilities)
	h.mu.Lock()
	defer h.mu.Unlock()
	if set := h.sets[key]; set != nil {
		if set.users--; set.users == 0 {
			delete(h.sets, key)
		}
	}
}

func capabilitiesKey(capabilities []string) [sha256.Size]byte {
	digest := sha256.New()
	for _, c := range capabilities {
		digest.Write([]byte(c))
		digest.Write([]byte{0})
	}
	return [sha256.Size]byte(digest.Sum(nil))
}
