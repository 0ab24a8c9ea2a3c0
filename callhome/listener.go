package callhome

import (
	"net/netip"

	"callhome-gateway/auth"
)

// Listener is what holds for the calls on one listener: fleets that need
// different users or another trust setting are best told apart by the port
// that they call.
type Listener struct {
	// Name is for the log, for session entries that are limited to it, and for
	// UserSelect; empty on the main one.
	Name      string
	Transport Transport
	// Users take the place of Options.Users unless they are nil.
	Users []*auth.User
	// Trust takes the place of Options.Trust unless it is nil.
	Trust *auth.Trust
	// Networks say who may call.
	Networks auth.NetworkRules
	// Proxies are the networks whose connections begin with a PROXY header,
	// which tells the device's address. Nobody else's is believed.
	Proxies []netip.Prefix
	// DeviceSecret is the one with which Junos devices whose entry has none
	// authenticate their host keys; empty means that none can. The id of such a
	// device becomes its name, unless somebody has it, and stays with its key: any
	// of them could take a name that is still free.
	DeviceSecret auth.Secret

	outlook *outlook
}

// withDefaults returns the listener with what it leaves out.
func (l *Listener) withDefaults(s *rules) *Listener {
	with := *l
	if with.Users == nil {
		with.Users = s.opts.Users
	}
	if with.Trust == nil {
		with.Trust = &s.opts.Trust
	}
	with.outlook = s.outlookOn(&with)
	return &with
}

// called says to a person which listener was called.
func (l *Listener) called() string {
	if l.Name == "" {
		return "the main one"
	}
	return l.Name
}
