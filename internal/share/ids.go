package share

import (
	"math/rand/v2"
	"strconv"
)

// The session-ids that managers get. Devices count theirs from 1; some peers
// hold one in 32 bits with a sign.
const (
	firstSession = 2_000_000_000
	lastSession  = 1<<31 - 1
)

// reserved reports whether id is of the range for managers.
func reserved(id uint32) bool { return id >= firstSession && id <= lastSession }

// sessionIDs gives out session-ids. It starts anywhere, so that the ids of an
// earlier link to the device do not come again soon.
type sessionIDs struct{ last uint32 }

func newSessionIDs() sessionIDs {
	return sessionIDs{firstSession + rand.Uint32N(lastSession-firstSession+1)}
}

// next returns the next id that is not taken.
func (s *sessionIDs) next(taken func(uint32) bool) uint32 {
	for {
		if s.last++; !reserved(s.last) {
			s.last = firstSession
		}
		if !taken(s.last) {
			return s.last
		}
	}
}

// messageIDs numbers the rpcs on the trunk. It starts anywhere in a range that
// hardly anything else uses, and fits the number that some devices expect.
type messageIDs struct{ first, last uint64 }

func newMessageIDs() messageIDs {
	first := 1<<28 + rand.Uint64N(1<<28)
	return messageIDs{first, first}
}

func (m *messageIDs) next() string {
	m.last++
	return strconv.FormatUint(m.last, 10)
}

// issued reports whether id is one of ours.
func (m *messageIDs) issued(id string) bool {
	n, err := strconv.ParseUint(id, 10, 64)
	return err == nil && n > m.first && n <= m.last
}
