package share

import (
	"time"

	"callhome-gateway/internal/netconf"
)

// abilities are what the device can do.
type abilities struct {
	candidate bool
	confirmed bool // confirmed commits
	cancel    bool // cancel-commit
	events    bool // subscriptions, and rpcs beside them (:interleave)
}

func abilitiesOf(h *netconf.Hello, f netconf.Framing) abilities {
	return abilities{
		candidate: h.Has(capCandidate),
		confirmed: h.Has(capConfirmed10) || h.Has(capConfirmed11),
		// netconfd knows the operation on base:1.1 sessions only.
		cancel: h.Has(capConfirmed11) && f == netconf.Chunked,
		events: h.Has(capNotification) && h.Has(capInterleave),
	}
}

// state is what managers have of the device. It is pure: rule tells what an
// operation may do, apply what it has done, leave what a manager leaves.
// Sessions are known by their ids; 0 is none.
type state struct {
	can       abilities
	exclusive bool

	locks     map[string]uint32 // datastore, as Head.Target names it → holder
	candidate ownership
	confirm   confirmation
	events    *subscription
	bound     uint32 // who has used a bound operation; exclusive only
}

// ownership is of the candidate's uncommitted changes.
type ownership struct {
	owner uint32
	// sure is unset where the edit failed: stop-on-error, the default, leaves
	// what was edited before the error (RFC 6241 section 7.2).
	sure bool
}

// confirmation is a commit that waits to be confirmed.
type confirmation struct {
	pending bool
	owner   uint32 // 0 when it has outlived its session
	persist bool
	until   time.Time // the device reverts it then, or a little earlier
}

func newState(can abilities, exclusive bool) *state {
	return &state{can: can, exclusive: exclusive, locks: make(map[string]uint32)}
}

// verdict is what becomes of an rpc.
type verdict uint8

const (
	pass   verdict = iota // to the device
	wait                  // until something changes
	answer                // with err, or ok
	join                  // the subscription there is; ok
	kill                  // the session of that id; ok when it is gone
	leave                 // close-session; ok
	hangUp                // end the link, with reason
)

// ruling is a verdict and what belongs to it.
type ruling struct {
	verdict
	err    *netconf.RPCError
	reason error
}

func answered(e *netconf.RPCError) ruling { return ruling{verdict: answer, err: e} }

// rule decides what becomes of an operation of session id, at a time when the
// device has nothing else to do.
func (s *state) rule(id uint32, o *operation, now time.Time) ruling {
	if e := s.obstacle(id, o, now); e != nil {
		return answered(e)
	}
	switch o.class {
	case subscribe:
		return s.ruleSubscribe(id, o)
	case unknown:
		return s.ruleUnknown(id)
	case edit:
		if !knownDatastore(o.target) && o.target != "url" {
			return s.ruleUnknown(id)
		}
	}
	return ruling{verdict: pass}
}

// obstacle returns the error of an operation that what another manager has
// stands in the way of.
func (s *state) obstacle(id uint32, o *operation, now time.Time) *netconf.RPCError {
	switch o.class {
	case lock:
		return s.forbidLock(id, o.target, now)
	case unlock:
		return s.forbidUnlock(id, o.target)
	case edit:
		return s.forbidEdit(id, o)
	case commit:
		return s.forbidCommit(id, o, now)
	case cancelCommit:
		return s.forbidConfirm(id, o, now)
	case discard:
		return s.forbidChange(id, candidate)
	case bound:
		if !s.exclusive {
			return notSupported(o.name.Local + " leaves something in the NETCONF session, which managers share here")
		}
	}
	return nil
}

func knownDatastore(name string) bool {
	return name == running || name == candidate || name == startup
}

// other returns the holder, unless that is id or nobody.
func other(holder, id uint32) uint32 {
	if holder == id {
		return 0
	}
	return holder
}

func (s *state) forbidLock(id uint32, target string, now time.Time) *netconf.RPCError {
	if holder := other(s.locks[target], id); holder != 0 {
		return lockDenied("holds the lock on "+target, holder)
	}
	// RFC 6241 section 7.5 has the next two.
	if owner := other(s.candidate.owner, id); target == candidate && owner != 0 {
		return lockDenied("has changed the candidate and not committed that", owner)
	}
	if s.confirmingOther(id, now) && target == running && s.confirm.owner != 0 {
		return lockDenied("has a confirmed commit under way", s.confirm.owner)
	}
	return nil
}

func (s *state) forbidUnlock(id uint32, target string) *netconf.RPCError {
	if holder := other(s.locks[target], id); holder != 0 {
		return refuse("operation-failed", heldBy(holder)+" holds the lock on "+target)
	}
	return nil
}

// forbidChange is about changes of a datastore.
func (s *state) forbidChange(id uint32, target string) *netconf.RPCError {
	if holder := other(s.locks[target], id); holder != 0 {
		return inUse(heldBy(holder) + " holds the lock on " + target)
	}
	if target == candidate {
		return s.forbidMixing(id)
	}
	return nil
}

// forbidMixing protects uncommitted changes: to the device all of them are of
// one session.
func (s *state) forbidMixing(id uint32) *netconf.RPCError {
	if owner := other(s.candidate.owner, id); owner != 0 {
		return inUse(heldBy(owner) + " has changed the candidate and not committed or discarded that")
	}
	return nil
}

func (s *state) forbidEdit(id uint32, o *operation) *netconf.RPCError {
	if e := s.forbidChange(id, o.target); e != nil {
		return e
	}
	// To copy the candidate to where it takes effect is to commit it.
	if o.source == candidate && (o.target == running || o.target == startup) {
		return s.forbidMixing(id)
	}
	return nil
}

func (s *state) forbidCommit(id uint32, o *operation, now time.Time) *netconf.RPCError {
	for _, target := range []string{running, candidate} {
		if e := s.forbidChange(id, target); e != nil {
			return e
		}
	}
	return s.forbidConfirm(id, o, now)
}

// forbidConfirm keeps others from confirming or cancelling a confirmed commit,
// which the device would let them: to it all managers are one session. With a
// persist-id any session may, and the device compares it (RFC 6241 section
// 8.4.5).
func (s *state) forbidConfirm(id uint32, o *operation, now time.Time) *netconf.RPCError {
	if !s.confirmingOther(id, now) || s.confirm.persist && o.persistID {
		return nil
	}
	if s.confirm.owner == 0 {
		return inUse("a persistent confirmed commit waits to be confirmed with its persist-id")
	}
	return inUse(heldBy(s.confirm.owner) + " has a confirmed commit under way")
}

// confirmingOther reports whether another session has a confirmed commit that
// is neither confirmed nor reverted.
func (s *state) confirmingOther(id uint32, now time.Time) bool {
	c := s.confirm
	return c.pending && c.owner != id && now.Before(c.until)
}

// ruleUnknown lets an operation of which nothing is known wait for others'
// locks and uncommitted changes to go: it may edit, or commit. Who holds
// something as well gets an error, or two could wait for each other.
func (s *state) ruleUnknown(id uint32) ruling {
	mine, others := s.candidate.owner == id, other(s.candidate.owner, id) != 0
	for _, holder := range s.locks {
		mine, others = mine || holder == id, others || holder != id
	}
	switch {
	case !others:
		return ruling{verdict: pass}
	case mine:
		return answered(inUse("another session holds a lock or has changed the candidate, and so does this one, so that they could wait for each other"))
	}
	return ruling{verdict: wait}
}
