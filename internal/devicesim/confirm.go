package devicesim

import (
	"time"

	"callhome-gateway/internal/netconf"
)

// defaultConfirm is how long a confirmed commit waits for its confirmation
// (RFC 6241 section 8.4.1).
const defaultConfirm = 10 * time.Minute

// commitRequest is what a commit asks for (RFC 6241 section 8.4).
type commitRequest struct {
	confirmed bool
	timeout   time.Duration
	persist   string
	persistID string
	// anySession lets every session confirm, as in RFC 4741.
	anySession bool
}

// unconfirmed is a confirmed commit that awaits its confirmation.
type unconfirmed struct {
	before  *node // the running configuration to go back to
	session uint32
	persist string // empty where the commit ends with its session
	timer   *time.Timer
}

// commit makes the candidate configuration the running one.
func (d *datastores) commit(session uint32, request commitRequest) *netconf.RPCError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if fault := d.lockedByOther(session, running, candidate); fault != nil {
		return fault
	}
	if fault := d.mayConfirmLocked(session, request); fault != nil {
		return fault
	}
	before := d.content[running]
	d.content[running] = d.getLocked(candidate)
	delete(d.content, candidate)
	earlier := d.settleLocked()
	if !request.confirmed {
		return nil
	}
	pending := &unconfirmed{before: before, session: session, persist: request.persist}
	if earlier != nil { // a follow-up: what was before the first one counts
		pending.before = earlier.before
		if pending.persist == "" {
			pending.persist = earlier.persist
		}
	}
	pending.timer = time.AfterFunc(request.timeout, func() { d.expire(pending) })
	d.pending = pending
	return nil
}

// mayConfirmLocked checks that the session may confirm, prolong or cancel the
// confirmed commit that is pending, if there is one.
func (d *datastores) mayConfirmLocked(session uint32, request commitRequest) *netconf.RPCError {
	p := d.pending
	switch {
	case p == nil && request.persistID != "",
		p != nil && request.persistID != "" && request.persistID != p.persist:
		return errInvalidValue("there is no confirmed commit with this persist-id")
	case p == nil || request.persistID != "" || request.anySession:
		return nil
	case p.persist != "":
		return errInUse("a persistent confirmed commit is pending: its persist-id is needed")
	case p.session != session:
		return errInUse("another session's confirmed commit is pending")
	}
	return nil
}

// cancel reverts the confirmed commit that is pending.
func (d *datastores) cancel(session uint32, persistID string) *netconf.RPCError {
	d.mu.Lock()
	fault := d.mayConfirmLocked(session, commitRequest{persistID: persistID})
	if fault == nil && d.pending == nil {
		fault = errFailed("there is no confirmed commit to cancel")
	}
	if fault == nil {
		d.revertLocked()
	}
	d.mu.Unlock()
	if fault == nil {
		d.onRevert()
	}
	return fault
}

// expire reverts a confirmed commit that nobody confirmed in time.
func (d *datastores) expire(p *unconfirmed) {
	d.mu.Lock()
	late := d.pending == p
	if late {
		d.revertLocked()
	}
	d.mu.Unlock()
	if late {
		d.onRevert()
	}
}

func (d *datastores) revertLocked() { d.content[running] = d.settleLocked().before }

// settleLocked ends the wait for a confirmation, and returns what was pending.
func (d *datastores) settleLocked() *unconfirmed {
	p := d.pending
	if p != nil {
		p.timer.Stop()
	}
	d.pending = nil
	return p
}
