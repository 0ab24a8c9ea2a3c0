package daemon

import (
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

const (
	// tellAgain is when the same rejection of a device is an event again, and for
	// how long an identity that waits for approval is none.
	tellAgain = 10 * time.Minute
	// maxRepeated bounds the rejections that are told apart, and maxStrangers the
	// identities.
	maxRepeated  = 1 << 15
	maxStrangers = 1 << 12
	// maxTold is how many events strangers may cause in a minute, of each kind.
	maxTold = 10
)

// dampers say which events are told: of what comes again and again, and of what
// anybody can cause, a part.
type dampers struct {
	repeats repeats
	// seen are the identities that were told to wait for approval.
	seen               *auth.Recent[auth.Identity]
	strangers, guesses budget
}

func newDampers() dampers {
	return dampers{repeats: make(repeats), seen: auth.NewRecent[auth.Identity](tellAgain, maxStrangers)}
}

// stranger reports whether the first call of an identity that nobody knows is
// told, and how many were not.
func (d *dampers) stranger(id auth.Identity, now time.Time) (unsaid int, ok bool) {
	if d.seen.Has(id) {
		return 0, false
	}
	d.seen.Note(id)
	return d.strangers.tell(now)
}

// repeatedCall is what calls have in common that are told once.
type repeatedCall struct {
	device string
	reason callhome.Reason
}

// repeats has those that were told. Only known devices are in it.
type repeats map[repeatedCall]*seldom

// tell reports whether the call is told now, and how many like it were not.
func (r repeats) tell(call repeatedCall, now time.Time) (unsaid int, ok bool) {
	told := r[call]
	if told == nil {
		r.makeRoom(now)
		told = &seldom{every: tellAgain}
		r[call] = told
	}
	return told.say(now)
}

// makeRoom forgets what was told long ago, or all, where there is too much.
func (r repeats) makeRoom(now time.Time) {
	if len(r) < maxRepeated {
		return
	}
	for call, told := range r {
		if now.Sub(told.last) >= tellAgain {
			delete(r, call)
		}
	}
	if len(r) > maxRepeated/2 {
		clear(r)
	}
}

// budget lets maxTold be told in a minute.
type budget struct {
	since        time.Time
	told, unsaid int
}

// tell reports whether one more is told now, and how many were not before it.
func (b *budget) tell(now time.Time) (unsaid int, ok bool) {
	if now.Sub(b.since) >= time.Minute {
		b.since, b.told = now, 0
	}
	if b.told >= maxTold {
		b.unsaid++
		return 0, false
	}
	b.told++
	unsaid, b.unsaid = b.unsaid, 0
	return unsaid, true
}
