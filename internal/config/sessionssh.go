package config

import (
	"slices"
	"strings"
	"unicode"

	"callhome-gateway/callhome"
)

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
