package callhome

import (
	"slices"

	"callhome-gateway/auth"
)

// wantsCertificate reports whether a host certificate could tell who calls. A
// device that is known by its key is not asked for one: it might certify
// another of its keys, which would look like a changed one.
func (s *rules) wantsCertificate(p *plan, matching []*Entry) bool {
	if p.avowal != nil {
		return false
	}
	if e := p.entry; e != nil {
		switch {
		case len(e.Pins) > 0:
			return false
		case len(e.HostPrincipals) > 0:
			return e.expectsPrincipal(p.users)
		case s.knownByHostKey(e):
			return false
		}
	}
	return p.listener.outlook.principals ||
		slices.ContainsFunc(matching, func(e *Entry) bool { return e.expectsPrincipal(p.users) }) ||
		slices.ContainsFunc(s.usersOf(p.entry, p), func(user *auth.User) bool { return user.HostCA != nil && user.HostCA.NamesDevices })
}

// knownByHostKey reports whether a host key was approved for the entry.
func (s *rules) knownByHostKey(e *Entry) bool {
	return slices.ContainsFunc(s.opts.Memory.Named(e.Name), func(d auth.Device) bool { return pinTransport(d.Identity) == SSH })
}
