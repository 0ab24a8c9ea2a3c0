package config

import (
	"strings"
	"unicode"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
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

// shortSecret is what can be found by trying, in bytes.
const shortSecret = 16

// deviceSecret reads what HMACs are made with that everybody on the way sees.
func (d *decoder) deviceSecret(a *hcl.Attribute) auth.Secret {
	secret := d.password(a)
	if n := len(secret.Reveal()); n > 0 && n < shortSecret {
		d.problems.warn(a.Expr.Range(), "make one with openssl rand -hex 16", "device_secret is short: who has seen one call of a device can find it by trying, and then play the device")
	}
	return secret
}
