package config

import (
	"slices"
	"strings"
	"unicode"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

// hostPrincipals reads the names of which a device's host certificate must have
// one.
func (d *decoder) hostPrincipals(b sessionBlock, checks sessionChecks) (names []string) {
	for _, s := range d.list(b.HostPrincipals) {
		name := auth.NormalizeCertificateName(s.text)
		if !usableName(name) {
			d.problems.fail(s.at, "it is what ssh-keygen -n puts into a certificate: text of 255 bytes at most", "%.80q cannot be a principal", s.text)
			continue
		}
		if strings.Contains(name, "*") {
			d.problems.warn(s.at, "write the name of the one device", "%q is compared as it is: * stands for nothing else", s.text)
		}
		if other, ok := checks.principals[name]; ok {
			d.problems.fail(s.at, "a principal belongs to one device", "session %q expects the principal %q as well", other, s.text)
			continue
		}
		checks.principals[name] = b.Name
		names = append(names, s.text)
	}
	d.notEmpty(b.HostPrincipals)
	if names != nil {
		d.checkPrincipals(b)
	}
	return names
}

// checkPrincipals: a principal counts for nothing unless a CA vouches for it.
func (d *decoder) checkPrincipals(b sessionBlock) {
	if b.HostKeys != nil {
		d.problems.warn(b.HostPrincipals.Range, "pins are not widened by a CA: leave one of them out", "host_principals has no effect: session %q pins keys", b.Name)
		return
	}
	at, missing := b.HostPrincipals.Range, `add host_ca { keys = [file("keys/host-ca.pub")] } to the user, with the key of the CA that signs the devices' host certificates`
	if s, ok := d.string(b.User); ok {
		if u, known := d.userBlocks[s.text]; known && !u.hasHostCA() {
			d.problems.fail(at, missing, "host_principals needs a CA, and user %q has no host_ca", s.text)
		}
		return
	}
	if b.User == nil && !slices.ContainsFunc(d.callhomeUserBlocks, userBlock.hasHostCA) {
		d.problems.fail(at, missing, "host_principals needs a CA, and none of the callhome users has a host_ca")
	}
}

// maxDeviceID bounds what a Junos device may call itself, in bytes.
const maxDeviceID = 255

func (d *decoder) deviceID(b sessionBlock, checks sessionChecks) string {
	if b.DeviceSecret != nil && b.DeviceID == nil {
		d.problems.fail(b.DeviceSecret.NameRange, "set device_id to what the device is given with set system services outbound-ssh client NAME device-id", "device_secret without device_id: the secret is looked up by what the device calls itself")
	}
	s, ok := d.string(b.DeviceID)
	if !ok {
		return ""
	}
	other, taken := checks.deviceIDs[s.text]
	switch {
	case s.text == "" || len(s.text) > maxDeviceID || s.text != strings.TrimSpace(s.text) || strings.ContainsFunc(s.text, func(r rune) bool { return !unicode.IsPrint(r) }):
		d.problems.fail(s.at, "it is 1 to 255 bytes of printable text, with no blanks around it", "%.80q cannot be a device ID", s.text)
	case taken:
		d.problems.fail(s.at, "a device ID belongs to one device", "session %q has the device_id %q as well", other, s.text)
	default:
		checks.deviceIDs[s.text] = b.Name
	}
	return s.text
}

// identifies is that of the entry, or with the secret of a listener: without any
// a device ID is a claim that everybody can make.
func (d *decoder) identifies(b sessionBlock) bool {
	if b.identifies() || b.DeviceID == nil {
		return b.identifies()
	}
	listener, named := d.string(b.Listener)
	for name, l := range d.listeners {
		if l.DeviceSecret != "" && (!named || listener.text == name) {
			return true
		}
	}
	return false
}

// sessionListener returns the name of the listener that the entry is limited to.
func (d *decoder) sessionListener(b sessionBlock, t callhome.Transport) string {
	s, ok := d.string(b.Listener)
	if !ok {
		return ""
	}
	l, known := d.listeners[s.text]
	switch {
	case !known || s.text == "":
		d.problems.fail(s.at, d.unknownListenerHint(s.text), "there is no listener %q", s.text)
		return ""
	case t == callhome.SSH && l.Port == 0 && l.TLSPort != 0:
		d.problems.fail(s.at, "give the listener a port", "transport is %q, and listener %q is for calls over TLS only", t, s.text)
	case t == callhome.TLS && l.TLSPort == 0 && l.Port != 0:
		d.problems.fail(s.at, "give the listener a tls_port", "transport is %q, and listener %q is for calls over SSH only", t, s.text)
	}
	return s.text
}

func (d *decoder) unknownListenerHint(name string) string {
	names := []string{}
	for known := range d.listeners {
		if known != "" {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	return "add a listener block with that name to callhome; leave it out for calls on any"
}
