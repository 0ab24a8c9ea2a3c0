package callhome

import (
	"slices"
	"sync"
)

// hunts remembers, for entries that pin bare fingerprints, which key types the
// device has shown that were not the pinned one. A fingerprint does not tell
// its type, and a device with several host keys shows the one it is asked for:
// it is asked for the next type on its next call.
type hunts struct {
	mu    sync.Mutex // guards tried
	tried map[string][]string
}

func newHunts() *hunts { return &hunts{tried: make(map[string][]string)} }

// types returns the key types to ask the device of the entry for.
func (h *hunts) types(entry string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var left []string
	for _, t := range hostKeyTypes {
		if !slices.Contains(h.tried[entry], t) {
			left = append(left, t)
		}
	}
	return left
}

// miss notes that the key type was not the pinned one. When none is left the
// hunt starts again: the device may get its key back.
func (h *hunts) miss(entry, keyType string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tried := append(h.tried[entry], keyType)
	if len(tried) >= len(hostKeyTypes) {
		delete(h.tried, entry)
		return
	}
	h.tried[entry] = tried
}

// restart forgets what was tried: the device has none of the types left.
func (h *hunts) restart(entry string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.tried, entry)
}
