package callhome

import (
	"slices"
	"sync"
)

// hunts finds the key type of entries that pin bare fingerprints. A fingerprint
// does not tell its type, and a device with several host keys shows the first
// one that it is asked for: types that were not the pinned one are asked for
// last from then on, and the one that was is asked for first. None is ever left
// out, so that a neighbour with a wrong key cannot keep the device away.
type hunts struct {
	mu     sync.Mutex // guards the following
	orders map[string][]string
	found  map[string]bool // the first of the order is the pinned type
}

func newHunts() *hunts {
	return &hunts{orders: make(map[string][]string), found: make(map[string]bool)}
}

// types returns the key types to ask the device of the entry for, in order.
func (h *hunts) types(entry string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.orderLocked(entry))
}

// miss notes that the key type was not the pinned one.
func (h *hunts) miss(entry, keyType string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.found[entry] {
		h.orders[entry] = append(h.withoutLocked(entry, keyType), keyType)
	}
}

// hit notes that the key type was the pinned one.
func (h *hunts) hit(entry, keyType string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.orders[entry] = append([]string{keyType}, h.withoutLocked(entry, keyType)...)
	h.found[entry] = true
}

func (h *hunts) orderLocked(entry string) []string {
	if order := h.orders[entry]; order != nil {
		return order
	}
	return hostKeyTypes
}

func (h *hunts) withoutLocked(entry, keyType string) []string {
	return slices.DeleteFunc(slices.Clone(h.orderLocked(entry)), func(t string) bool { return t == keyType })
}
