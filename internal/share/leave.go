package share

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"callhome-gateway/internal/netconf"
)

// retire begins the end of a session: it gets no turn any more, and what it
// has left is cleaned up once the device has answered its last rpc.
func (d *Device) retire(s *Session) {
	if s.retired {
		return
	}
	s.retired = true
	d.queue = slices.DeleteFunc(d.queue, func(t *turn) bool { return t.session == s })
	d.leavers = append(d.leavers, s)
	if t := d.current; t != nil && t.session == s {
		d.watch(t)
	}
}

// watch ends the link if the device is silent over a turn that nobody but the
// gateway waits for. Where the link is ending already there is nothing to watch:
// the timer would only keep all of it in memory.
func (d *Device) watch(t *turn) {
	if d.isEnding() {
		return
	}
	t.watch = time.AfterFunc(d.o.Patience, func() { d.fail(errSilent) })
}

// cleanNext begins to clean up behind those that have left, if the trunk is
// free: before anybody else has a turn. Where that takes no rpc it is done.
func (d *Device) cleanNext() {
	for d.current == nil && d.fatal == nil && len(d.leavers) > 0 {
		s := d.leavers[0]
		d.leavers = slices.Delete(d.leavers, 0, 1) // with no reference to s in the array
		chores, err := d.state.leave(s.id, time.Now())
		if err != nil {
			d.endWith(err)
			return
		}
		if len(chores) == 0 {
			d.forget(s)
			continue
		}
		t := &turn{session: s, result: make(chan netconf.Outcome, 1)}
		d.current, d.chores = t, func() { d.clean(t, chores) }
	}
}

// forget ends a session of which nothing is left.
func (d *Device) forget(s *Session) {
	delete(d.sessions, s.id)
	close(s.cleaned)
}

// clean does the chores behind a session. If one fails, only the end of the
// device session undoes what was left.
func (d *Device) clean(t *turn, chores []chore) {
	d.o.Log.Debug("cleans up behind a manager", "session_id", t.session.id, "rpcs", len(chores))
	for _, c := range chores {
		outcome, ok := d.exchange(t, c)
		if !ok {
			return
		}
		if outcome != netconf.Succeeded && !c.lenient {
			d.fail(errChore(c.rpc))
			return
		}
	}
	d.mu.Lock()
	defer d.unlock()
	d.forget(t.session)
	d.finish(t)
}

// exchange has the device do a chore, and returns what became of it. It
// returns false when the link ends.
func (d *Device) exchange(t *turn, c chore) (netconf.Outcome, bool) {
	d.mu.Lock()
	d.outstanding(t, true)
	if t.watch != nil {
		t.watch.Stop()
	}
	d.watch(t)
	m := choreMessage(c, t.id)
	d.mu.Unlock()
	if err := d.trunk.Send(m); err != nil {
		return 0, false
	}
	d.settle(t, func() { t.sent = true })
	select {
	case outcome := <-t.result:
		return outcome, true
	case <-d.trunk.Ending():
		d.mu.Lock()
		defer d.mu.Unlock()
		if t.watch != nil {
			t.watch.Stop()
		}
		return 0, false
	}
}

func choreMessage(c chore, id string) *netconf.Message {
	doc := fmt.Sprintf(`<rpc xmlns="%s" message-id="%s">%s</rpc>`, netconf.NamespaceBase, id, c.rpc)
	return &netconf.Message{
		Head: netconf.Head{Kind: netconf.KindRPC, ID: id, HasID: true},
		Size: int64(len(doc)), Body: strings.NewReader(doc),
	}
}
