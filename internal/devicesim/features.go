package devicesim

import (
	"errors"
	"fmt"
)

// maxReplay bounds the events that a device keeps.
const maxReplay = 4096

// Features are the optional capabilities of a device: it advertises those that
// it has. The zero value can edit running, and notifies between replies.
type Features struct {
	// Candidate offers the candidate datastore, which all sessions share.
	// Running is then read-only, unless WritableRunning is set.
	Candidate       bool
	WritableRunning bool
	// ConfirmedCommit is "1.0" (RFC 4741), "1.1" (RFC 6241: with persist and
	// cancel-commit, on base:1.1 sessions only, as netconfd has it) or empty:
	// there are none. It needs Candidate.
	ConfirmedCommit string
	// Startup offers the startup datastore.
	Startup bool
	// Validate offers validate, and test-option in edit-config.
	Validate bool

	// NoNotification takes the subscriptions of RFC 5277 away.
	NoNotification bool
	// NoInterleave takes every operation but close-session from a session
	// that has a subscription.
	NoInterleave bool
	// Streams are event streams besides NETCONF, which carries all events.
	Streams []string
	// Replay is how many of the latest events are kept for replay (default 0:
	// there is no replay).
	Replay int

	// Advertise are more capabilities for the hello: nothing is behind them.
	Advertise []string
}

func (f *Features) validate() error {
	switch f.ConfirmedCommit {
	case "", "1.0", "1.1":
	default:
		return fmt.Errorf("unknown version %q of confirmed commits: use 1.0 or 1.1", f.ConfirmedCommit)
	}
	if f.ConfirmedCommit != "" && !f.Candidate {
		return errors.New("confirmed commits need a candidate datastore")
	}
	if f.Replay < 0 || f.Replay > maxReplay {
		return fmt.Errorf("a replay of %d events is not between 0 and %d", f.Replay, maxReplay)
	}
	return nil
}

// capabilities lists what the device can beyond the base protocol, without
// what all capabilities begin with.
func (f *Features) capabilities() []string {
	caps := []string{"rollback-on-error:1.0"}
	add := func(has bool, capability string) {
		if has {
			caps = append(caps, capability)
		}
	}
	add(f.writable(running), "writable-running:1.0")
	add(f.Candidate, "candidate:1.0")
	add(f.ConfirmedCommit != "", "confirmed-commit:"+f.ConfirmedCommit)
	add(f.Startup, "startup:1.0")
	add(f.Validate, "validate:1.1")
	add(!f.NoNotification, "notification:1.0")
	add(!f.NoNotification && !f.NoInterleave, "interleave:1.0")
	return caps
}

// has reports whether the device has the datastore.
func (f *Features) has(datastore string) bool {
	switch datastore {
	case running:
		return true
	case candidate:
		return f.Candidate
	case startup:
		return f.Startup
	}
	return false
}

// writable reports whether a datastore that the device has can be edited.
func (f *Features) writable(datastore string) bool {
	return datastore != running || !f.Candidate || f.WritableRunning
}
