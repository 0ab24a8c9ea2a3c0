package share

import (
	"encoding/xml"
	"maps"
	"slices"
	"strings"
	"time"

	"callhome-gateway/internal/netconf"
)

// apply takes account of what an operation of session id has done, given what
// the device's reply says. Where that is unclear, what may have been taken
// counts as taken and what may have been released does not: it is undone when
// the manager leaves.
func (s *state) apply(id uint32, o *operation, outcome netconf.Outcome, now time.Time) {
	taken, done := outcome != netconf.Failed, outcome == netconf.Succeeded
	switch {
	case o.class == lock && taken && o.target != "":
		s.locks[o.target] = id
	case o.class == unlock && done && s.locks[o.target] == id:
		delete(s.locks, o.target)
	case o.class == edit && o.target == candidate && s.can.candidate:
		s.candidate.sure = done || s.candidate.owner == id && s.candidate.sure
		s.candidate.owner = id
	case o.class == discard && done:
		s.candidate = ownership{}
	case o.class == commit:
		s.committed(id, o, outcome, now)
	case o.class == cancelCommit && done:
		s.confirm = confirmation{}
	case o.class == subscribe && taken:
		s.subscribed(id, o)
	case o.class == bound && taken:
		s.bound = id
	}
}

func (s *state) committed(id uint32, o *operation, outcome netconf.Outcome, now time.Time) {
	if outcome == netconf.Succeeded {
		s.candidate = ownership{}
	}
	switch {
	case o.confirmed && s.can.confirmed && outcome != netconf.Failed:
		s.confirm = confirmation{
			pending: true, owner: id, until: now.Add(o.timeout),
			// One that persists does not cease to where a follow-up says nothing.
			persist: o.persist || s.confirm.pending && s.confirm.persist && now.Before(s.confirm.until),
		}
	case outcome == netconf.Succeeded:
		s.confirm = confirmation{}
	}
}

// chore is an rpc that cleans up behind a manager.
type chore struct {
	rpc string // the content of the rpc element
	// lenient: it does not matter if the device refuses.
	lenient bool
}

// leave takes account of the end of session id. It returns what is left to do,
// or why the device session cannot go on without it.
func (s *state) leave(id uint32, now time.Time) ([]chore, error) {
	chores, err := s.leaveCommit(id, now)
	if s.candidate.owner == id || s.locks[candidate] == id {
		certain := s.candidate.owner == id && s.candidate.sure
		chores = append(chores, chore{rpc: "<discard-changes/>", lenient: !certain})
		s.candidate = ownership{}
	}
	for _, target := range slices.Sorted(maps.Keys(s.locks)) {
		if s.locks[target] == id {
			delete(s.locks, target)
			chores = append(chores, chore{rpc: "<unlock><target>" + element(target) + "</target></unlock>"})
		}
	}
	if s.unsubscribe(id) && s.exclusive {
		err = errEvents
	}
	if s.bound == id {
		err = errBound
	}
	return chores, err
}

// element returns the empty element of a datastore's name (see Head.Target).
// One that the lock gave as NMDA does is not known by it: its unlock fails, and
// the link ends with the lock.
func element(target string) string {
	space, local, foreign := strings.Cut(strings.TrimPrefix(target, "{"), "}")
	if !foreign {
		return "<" + target + "/>"
	}
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(space)) // a Builder takes all
	return "<" + local + ` xmlns="` + escaped.String() + `"/>`
}

func (s *state) leaveCommit(id uint32, now time.Time) ([]chore, error) {
	c := &s.confirm
	if !c.pending || c.owner != id {
		return nil, nil
	}
	if c.persist {
		c.owner = 0
		return nil, nil
	}
	late := !now.Before(c.until)
	*c = confirmation{}
	switch {
	case late:
		return nil, nil
	case !s.can.cancel:
		return nil, errConfirmed
	}
	return []chore{{rpc: "<cancel-commit/>"}}, nil
}
