package auth

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// turns lets passwords queue while one is hashed, and returns in which order
// they are hashed then.
func turns(t *testing.T, queued ...hashTurn) string {
	var order strings.Builder
	synctest.Test(t, func(t *testing.T) {
		q := &hashQueue{slots: 1, most: maxHashWaiting}
		if err := q.enter(t.Context(), false, 0); err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		for i, turn := range queued {
			waiting.Go(func() {
				if q.enter(t.Context(), turn.known, turn.tried) == nil {
					order.WriteByte(byte('a' + i))
					q.leave()
				}
			})
			synctest.Wait()
		}
		q.leave()
		waiting.Wait()
		if q.running != 0 || len(q.waiting) != 0 {
			t.Errorf("%d are hashed, %d wait", q.running, len(q.waiting))
		}
	})
	return order.String()
}

func TestHashQueueOrder(t *testing.T) {
	known := func(tried int) hashTurn { return hashTurn{known: true, tried: time.Duration(tried)} }
	unknown := func(tried int) hashTurn { return hashTurn{tried: time.Duration(tried)} }
	for _, c := range []struct {
		name   string
		queued []hashTurn
		want   string
	}{
		{"known sources first, in order", []hashTurn{unknown(0), known(0), unknown(0), known(0)}, "bdca"},
		{"the newest stranger first", []hashTurn{unknown(0), unknown(0), unknown(0)}, "cba"},
		{"who has tried less first", []hashTurn{unknown(2), unknown(0), unknown(1)}, "bca"},
		{"a crowd from one known source takes turns", []hashTurn{known(0), known(1), known(2), known(0), known(1)}, "adbec"},
		{"a crowd from one source takes turns", []hashTurn{unknown(0), unknown(1), unknown(2), unknown(0), unknown(1)}, "daebc"},
	} {
		if got := turns(t, c.queued...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Of too many, the one is turned away that would have been the last.
func TestHashQueueIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		queued []hashTurn
		out    int
	}{
		"the oldest stranger":           {slices.Repeat([]hashTurn{{}}, maxHashWaiting+1), 0},
		"who has tried more":            {append(slices.Repeat([]hashTurn{{}}, maxHashWaiting), hashTurn{tried: 1}), maxHashWaiting},
		"the newest of known ones":      {slices.Repeat([]hashTurn{{known: true}}, maxHashWaiting+1), maxHashWaiting},
		"a stranger, where one is in":   {append([]hashTurn{{}}, slices.Repeat([]hashTurn{{known: true}}, maxHashWaiting)...), 0},
		"a stranger who comes too late": {append(slices.Repeat([]hashTurn{{known: true}}, maxHashWaiting), hashTurn{}), maxHashWaiting},
	} {
		got := turns(t, c.queued...)
		if len(got) != maxHashWaiting || strings.Contains(got, string([]byte{byte('a' + c.out)})) {
			t.Errorf("%s is not turned away: %q", name, got)
		}
	}
}

// Passwords that wait hold an eighth of the places, whatever their number.
func TestHashQueueLeavesPlaces(t *testing.T) {
	for places, want := range map[int]int{0: 64, 1: 1, 16: 2, 512: 64, 4096: 64} {
		l, err := NewLogins(LoginOptions{Places: places})
		if err != nil {
			t.Fatal(err)
		}
		if l.queue.most != want {
			t.Errorf("of %d places %d wait", places, l.queue.most)
		}
	}
}

func TestHashQueueEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &hashQueue{slots: 1, most: maxHashWaiting}
		if err := q.enter(t.Context(), false, 0); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := q.enter(t.Context(), false, 0); err != ErrLoginsBusy || time.Since(begin) != maxHashWait {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if err := q.enter(ctx, true, 0); err != ErrLoginsBusy || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		q.leave()
		if q.running != 0 || len(q.waiting) != 0 {
			t.Errorf("%d are hashed, %d wait", q.running, len(q.waiting))
		}
	})
}

// Hashes run side by side, as many as there are slots.
func TestHashQueueSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &hashQueue{slots: 3, most: maxHashWaiting}
		var all sync.WaitGroup
		begin := time.Now()
		for range 6 {
			all.Go(func() {
				if err := q.enter(t.Context(), false, 0); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				q.leave()
			})
		}
		all.Wait()
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("6 hashes of a second took %v", took)
		}
	})
}
