package callhome

import (
	"fmt"
	"slices"

	"callhome-gateway/auth"
)

// addEntry checks a session entry and makes it known by what matches it.
func (s *rules) addEntry(e *Entry) error {
	switch {
	case !auth.ValidName(e.Name):
		return fmt.Errorf("callhome: %q is no valid name for a session entry", e.Name)
	case s.byName[e.Name] != nil:
		return fmt.Errorf("callhome: two session entries are named %s", e.Name)
	case e.Transport != "" && e.Transport != SSH && e.Transport != TLS:
		return fmt.Errorf("callhome: session entry %s: the transport is %q, neither %q nor %q", e.Name, e.Transport, SSH, TLS)
	case !e.canMatch():
		return fmt.Errorf("callhome: session entry %s has no address, pins, expected names or device id to match a device by", e.Name)
	}
	if err := s.addIdentities(e); err != nil {
		return err
	}
	e.Address = auth.Unmap(e.Address)
	s.entryIndex.add(e)
	return nil
}

// addIdentities makes an entry known by its pins and certificate names, each
// of which tells one device from all others.
func (s *rules) addIdentities(e *Entry) error {
	for _, pin := range e.Pins {
		key := pinKey(pin)
		if other := s.byPin[key]; other != nil {
			return fmt.Errorf("callhome: session entries %s and %s pin the same %s", other.Name, e.Name, kindOf(pin))
		}
		s.byPin[key] = e
	}
	for _, transport := range []Transport{SSH, TLS} {
		for _, expected := range e.expects(transport) {
			if err := s.addExpected(e, transport, expected); err != nil {
				return err
			}
		}
	}
	return s.addDeviceID(e)
}

func (s *rules) addDeviceID(e *Entry) error {
	other := s.byDeviceID[e.DeviceID]
	switch {
	case e.DeviceID == "" && e.DeviceSecret != "":
		return fmt.Errorf("callhome: session entry %s has a device secret, but no device id", e.Name)
	case e.DeviceID == "":
		return nil
	case !validDeviceID(e.DeviceID):
		return fmt.Errorf("callhome: session entry %s: %.80q cannot be the id of a device", e.Name, e.DeviceID)
	case other != nil:
		return fmt.Errorf("callhome: session entries %s and %s expect the same device id %.80q", other.Name, e.Name, e.DeviceID)
	}
	s.byDeviceID[e.DeviceID] = e
	return nil
}

func (s *rules) addExpected(e *Entry, t Transport, expected string) error {
	x := expectation{t, auth.NormalizeCertificateName(expected)}
	if x.name == "" {
		return fmt.Errorf("callhome: session entry %s: %.80q cannot be the name of a certificate", e.Name, expected)
	}
	if other := s.expecting[x]; other != nil && other != e {
		return fmt.Errorf("callhome: session entries %s and %s expect the same certificate name %s over %s", other.Name, e.Name, x.name, t)
	}
	s.expecting[x] = e
	return nil
}

// expects returns the names of which the device's certificate must have one
// over the transport.
func (e *Entry) expects(t Transport) []string {
	if t == SSH {
		return e.HostPrincipals
	}
	return e.CertificateNames
}

// expectsPrincipal reports whether a host certificate would tell that a device
// is this entry's; users are those of entries that name none.
func (e *Entry) expectsPrincipal(users []*auth.User) bool {
	if e.User != nil {
		users = []*auth.User{e.User}
	}
	return len(e.HostPrincipals) > 0 && len(e.Pins) == 0 && e.takes(SSH) &&
		slices.ContainsFunc(users, func(user *auth.User) bool { return user.HostCA != nil })
}

// canMatch reports whether there is a way to match a device, over the
// transports that the entry allows.
func (e *Entry) canMatch() bool {
	if e.Address.IsValid() || len(e.CertificateNames) > 0 && e.takes(TLS) || (e.DeviceID != "" || len(e.HostPrincipals) > 0) && e.takes(SSH) {
		return true
	}
	for _, pin := range e.Pins {
		if e.takes(pinTransport(pin)) {
			return true
		}
	}
	return false
}

// proves reports whether the entry knows something that a device must prove.
func (e *Entry) proves() bool {
	return len(e.Pins)+len(e.CertificateNames)+len(e.HostPrincipals) > 0 || e.DeviceSecret != ""
}

// takes reports whether the entry is for calls over the transport.
func (e *Entry) takes(t Transport) bool { return e.Transport == "" || e.Transport == t }

// listensOn reports whether the entry is for calls to the listener.
func (e *Entry) listensOn(l *Listener) bool { return e.Listener == "" || e.Listener == l.Name }

// pinTransport is what a device proves the pin over.
func pinTransport(pin auth.Identity) Transport {
	if pin.Type == auth.TypeCertificate || pin.Type == auth.TypeCertificateKey {
		return TLS
	}
	return SSH
}

// pinKey is what pins are looked up by: those of TLS are of a certificate or
// of its key, those of SSH may be bare fingerprints.
func pinKey(id auth.Identity) auth.Identity {
	if pinTransport(id) == SSH {
		id.Type = ""
	}
	return id
}

// kindOf puts the type of an identity into a word for people.
func kindOf(id auth.Identity) string {
	if id.Type == auth.TypeCertificate {
		return "certificate"
	}
	return "key"
}
