package auth

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxHashWaiting is how many passwords wait to be hashed at most. More would
	// wait longer than anybody does.
	maxHashWaiting = 64
	// maxHashWait is how long one waits. Who is not reached by then hardly will
	// be: to be told so early leaves time to try again.
	maxHashWait = 10 * time.Second
)

// hashQueue lets few passwords be hashed at a time, and decides whose turn it
// is when more are tried than can be. Strangers cannot be told apart by what
// they send before that, only by what came from their source before:
//
//   - sources from which somebody has logged in lately go first, in the order in
//     which they come: no stranger makes them wait for more than one hash;
//   - of the others, those whose source has tried least lately. Whoever guesses
//     from thousands of addresses has used up their first tries soon, and is then
//     behind everybody who comes for the first time;
//   - of those, the newest: when there are more than can be hashed, the oldest
//     are those who have stopped waiting.
//
// Since a try counts from its beginning, many of one source at once take turns
// with those of other sources.
type hashQueue struct {
	slots int // that are hashed at a time
	most  int // that wait

	mu      sync.Mutex // guards the following
	running int
	waiting []*hashTurn
	came    uint64
}

// hashTurn is one password that waits.
type hashTurn struct {
	known bool          // somebody has logged in from there
	tried time.Duration // what its source owes for its tries
	came  uint64
	// decided gets nil when it is its turn, or ErrLoginsBusy.
	decided chan error
}

// enter returns when the password may be hashed, or ErrLoginsBusy when it may
// not. After nil leave must be called.
func (q *hashQueue) enter(ctx context.Context, known bool, tried time.Duration) error {
	q.mu.Lock()
	if q.running < q.slots {
		q.running++
		q.mu.Unlock()
		return nil
	}
	q.came++
	t := &hashTurn{known: known, tried: tried, came: q.came, decided: make(chan error, 1)}
	q.waiting = append(q.waiting, t)
	if len(q.waiting) > q.most {
		q.decideLocked(slices.MaxFunc(q.waiting, compareTurns), ErrLoginsBusy)
	}
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, maxHashWait)
	defer cancel()
	select {
	case <-ctx.Done():
		q.giveUp(t)
	case err := <-t.decided:
		return err
	}
	return <-t.decided
}

// leave lets the next one be hashed.
func (q *hashQueue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running--
		return
	}
	q.decideLocked(slices.MinFunc(q.waiting, compareTurns), nil)
}

// giveUp takes a password out that nobody waits for any more, unless it was
// decided meanwhile.
func (q *hashQueue) giveUp(t *hashTurn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if slices.Contains(q.waiting, t) {
		q.decideLocked(t, ErrLoginsBusy)
	}
}

func (q *hashQueue) decideLocked(t *hashTurn, err error) {
	i := slices.Index(q.waiting, t)
	q.waiting = slices.Delete(q.waiting, i, i+1)
	t.decided <- err
}

// compareTurns is negative when a comes before b.
func compareTurns(a, b *hashTurn) int {
	switch {
	case a.known && b.known:
		return cmp.Or(cmp.Compare(a.tried, b.tried), cmp.Compare(a.came, b.came))
	case a.known:
		return -1
	case b.known:
		return 1
	}
	return cmp.Or(cmp.Compare(a.tried, b.tried), cmp.Compare(b.came, a.came))
}
