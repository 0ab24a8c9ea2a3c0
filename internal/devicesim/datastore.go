package devicesim

import (
	"sync"

	"callhome-gateway/internal/netconf"
)

// maxConfig bounds a datastore, in bytes of memory as node.size estimates it.
const maxConfig = 256 << 20

// The datastores that a device may have.
const (
	running   = "running"
	candidate = "candidate"
)

// datastores are the configurations of a device with their locks. Sessions are
// named by their session-id.
type datastores struct {
	mu sync.Mutex // guards the following
	// content has candidate only while it differs from running.
	content map[string]*node
	locks   map[string]uint32
}

func newDatastores(config *node) *datastores {
	return &datastores{content: map[string]*node{running: config}, locks: map[string]uint32{}}
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

// commit makes the candidate configuration the running one.
func (d *datastores) commit(session uint32) *netconf.RPCError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if fault := d.lockedByOther(session, running, candidate); fault != nil {
		return fault
	}
	d.content[running] = d.getLocked(candidate)
	delete(d.content, candidate)
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
			return errInUse(holder)
		}
	}
	return nil
}

// lock takes the lock of a datastore. Candidate cannot be locked while it
// holds changes that nobody has committed (RFC 6241 section 7.5).
func (d *datastores) lock(session uint32, name string) *netconf.RPCError {
	d.mu.Lock()
	defer d.mu.Unlock()
	if holder, ok := d.locks[name]; ok {
		return errLockDenied(holder, "lock failed, the lock is already held")
	}
	if _, changed := d.content[candidate]; changed && name == candidate {
		return errLockDenied(0, "lock failed, candidate holds uncommitted changes")
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

// release gives up what a session held when it ends.
func (d *datastores) release(session uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, holder := range d.locks {
		if holder == session {
			d.unlockLocked(name)
		}
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
