package devicesim

import (
	"fmt"
	"sync"

	"callhome-gateway/internal/netconf"
)

// maxConfig bounds a datastore, in bytes of memory as node.size estimates it.
const maxConfig = 256 << 20

// The datastores that a device may have.
const (
	running   = "running"
	candidate = "candidate"
	startup   = "startup"
)

// datastores are the configurations of a device with their locks. Sessions are
// named by their session-id.
type datastores struct {
	// onRevert is called after a confirmed commit was taken back.
	onRevert func()

	mu sync.Mutex // guards the following
	// content has candidate only while it differs from running.
	content map[string]*node
	locks   map[string]uint32
	pending *unconfirmed // commit, or nil
}

func newDatastores(config *node, onRevert func()) *datastores {
	return &datastores{
		onRevert: onRevert,
		content:  map[string]*node{running: config, startup: config},
		locks:    map[string]uint32{},
	}
}

// get returns the configuration in a datastore. It is not to be modified.
func (d *datastores) get(name string) *node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.getLocked(name)
}

func (d *datastores) getLocked(name string) *node {
	if config, ok := d.content[name]; ok {
		return config
	}
	return d.content[running]
}

// change replaces a datastore's content by what f makes of it (the same node
// for no change), unless another session has locked it.
func (d *datastores) change(session uint32, name string, f func(*node) (*node, *netconf.RPCError)) *netconf.RPCError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if fault := d.lockedByOther(session, name); fault != nil {
		return fault
	}
	old := d.getLocked(name)
	config, fault := f(old)
	if fault != nil || config == old {
		return fault
	}
	if config.size() > maxConfig {
		return errTooBig()
	}
	d.content[name] = config
	return nil
}

// discard makes the candidate configuration equal to the running one.
func (d *datastores) discard(session uint32) *netconf.RPCError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if fault := d.lockedByOther(session, candidate); fault != nil {
		return fault
	}
	delete(d.content, candidate)
	return nil
}

func (d *datastores) lockedByOther(session uint32, names ...string) *netconf.RPCError {
	for _, name := range names {
		if holder, ok := d.locks[name]; ok && holder != session {
			return errInUse(fmt.Sprintf("the datastore is locked by session %d", holder))
		}
	}
	return nil
}

// lock takes the lock of a datastore. Candidate cannot be locked while it
// holds changes that nobody has committed, nor running while another session's
// confirmed commit is pending (RFC 6241 section 7.5).
func (d *datastores) lock(session uint32, name string) *netconf.RPCError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if holder, ok := d.locks[name]; ok {
		return errLockDenied(holder, "lock failed, the lock is already held")
	}
	if _, changed := d.content[candidate]; changed && name == candidate {
		return errLockDenied(0, "lock failed, candidate holds uncommitted changes")
	}
	if p := d.pending; p != nil && p.session != session && name == running {
		return errLockDenied(p.session, "lock failed, a confirmed commit is pending")
	}
	d.locks[name] = session
	return nil
}

func (d *datastores) unlock(session uint32, name string) *netconf.RPCError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] != session {
		return errFailed("unlock failed, this session does not hold the lock")
	}
	d.unlockLocked(name)
	return nil
}

// release gives up what a session held when it ends: its locks, and its
// confirmed commit, unless that persists.
func (d *datastores) release(session uint32) {
	d.mu.Lock()
	reverts := d.pending != nil && d.pending.session == session && d.pending.persist == ""
	if reverts {
		d.revertLocked()
	}
	for name, holder := range d.locks {
		if holder == session {
			d.unlockLocked(name)
		}
	}
	d.mu.Unlock()
	if reverts {
		d.onRevert()
	}
}

// unlockLocked drops a lock, and with that of candidate its changes (RFC 6241
// section 8.3.5.2).
func (d *datastores) unlockLocked(name string) {
	delete(d.locks, name)
	if name == candidate {
		delete(d.content, candidate)
	}
}
