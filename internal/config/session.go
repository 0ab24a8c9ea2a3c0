package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2"
)

// sessionChecks is what spans session entries.
type sessionChecks struct {
	names labels
	// pinned tells which entry has a fingerprint.
	pinned map[string]string
	// expected tells which entry expects a name in a certificate, principals
	// which one expects a name in an SSH host certificate, and deviceIDs whose a
	// device ID is.
	expected, principals, deviceIDs map[string]string
	// addressed are the entries with an address.
	addressed map[netip.Prefix][]addressed
}

type addressed struct {
	name, listener string
	identified     bool
}

func newSessionChecks() sessionChecks {
	return sessionChecks{
		names:  newLabels("session"),
		pinned: make(map[string]string), expected: make(map[string]string), principals: make(map[string]string), deviceIDs: make(map[string]string), addressed: make(map[netip.Prefix][]addressed),
	}
}

func (d *decoder) sessions(c *Config, blocks []sessionBlock, users userTable, checks sessionChecks) {
	for _, b := range blocks {
		checks.names.check(d.problems, b.Name, b.NameRange)
		c.Callhome.Entries = append(c.Callhome.Entries, d.session(b, users, checks))
		c.Gateway.Devices = append(c.Gateway.Devices, d.device(b))
	}
}

func (d *decoder) device(b sessionBlock) gateway.DeviceConfig {
	device := gateway.DeviceConfig{Name: b.Name, Sessions: d.sessionMode(b.Sessions)}
	d.port(b.Port, 1, &device.Port)
	d.port(b.TLSPort, 1, &device.TLSPort)
	d.durationOrNever(b.IdleClose, maxIdleClose, &device.IdleClose)
	return device
}

func (d *decoder) session(b sessionBlock, users userTable, checks sessionChecks) callhome.Entry {
	e := callhome.Entry{Name: b.Name, Transport: d.transport(b), Address: d.sessionAddress(b.Address), Pins: d.pins(b, checks)}
	e.Pins = append(e.Pins, d.certificatePins(b, checks)...)
	e.CertificateNames = d.certificateNames(b, checks)
	e.HostPrincipals = d.hostPrincipals(b, checks)
	e.DeviceID, e.DeviceSecret = d.deviceID(b, checks), d.deviceSecret(b.DeviceSecret)
	e.Listener = d.sessionListener(b, e.Transport)
	d.legacyAlgorithms(b.LegacyAlgorithms, &e.LegacyAlgorithms)
	if s, ok := d.string(b.User); ok {
		e.User = users.find(d.problems, s)
	}
	d.checkSessionUser(b, e.Transport)
	if h := single(d.problems, "hello", b.Hello, func(b helloBlock) hcl.Range { return b.Def }); h != nil {
		e.Hello = d.hello(h)
	}
	if b.Address == nil && b.DeviceID == nil && !b.identifies() {
		d.problems.missing(b.Def, b.Body, "set address, host_keys, or both; host_principals for a device with a host certificate, device_id for one of Junos, certificates or certificate_names for one that calls over TLS", "session %q matches no device", b.Name)
	}
	d.checkAddress(b, e, checks)
	return e
}

// identifies reports whether the entry says who the device is, not only where.
func (b sessionBlock) identifies() bool {
	return b.HostKeys != nil || b.HostPrincipals != nil || b.DeviceID != nil && b.DeviceSecret != nil ||
		b.Certificates != nil || b.CertificateKeys != nil || b.CertificateNames != nil
}

func (d *decoder) sessionAddress(a *hcl.Attribute) netip.Prefix {
	s, ok := d.string(a)
	if !ok {
		return netip.Prefix{}
	}
	network, _ := d.network(s)
	return network
}

func (d *decoder) pins(b sessionBlock, checks sessionChecks) (pins []auth.Identity) {
	for _, s := range d.list(b.HostKeys) {
		pin, err := parsePin(strings.TrimSpace(s.text))
		if err != nil {
			d.problems.fail(s.at, err.hint, "%s", err.what)
			continue
		}
		if checks.pin(d.problems, b.Name, pin, "host key", s.at) {
			pins = append(pins, pin)
		}
	}
	d.notEmpty(b.HostKeys)
	return pins
}

// release gives back what a session has that is not to be one.
func (c sessionChecks) release(session string, address netip.Prefix) {
	for _, taken := range []map[string]string{c.pinned, c.expected, c.principals, c.deviceIDs} {
		maps.DeleteFunc(taken, func(_, by string) bool { return by == session })
	}
	c.addressed[address] = slices.DeleteFunc(c.addressed[address], func(a addressed) bool { return a.name == session })
}

// pin notes a pin of the session, unless it is there already.
func (c sessionChecks) pin(p *Problems, session string, pin auth.Identity, what string, at hcl.Range) bool {
	if other, ok := c.pinned[pin.Fingerprint]; ok {
		p.fail(at, fmt.Sprintf("it is pinned by session %q already; a key belongs to one device", other), "this %s is pinned twice", what)
		return false
	}
	c.pinned[pin.Fingerprint] = session
	return true
}

// checkAddress: without pins, nothing tells two devices at one address apart,
// unless they call on different listeners.
func (d *decoder) checkAddress(b sessionBlock, e callhome.Entry, checks sessionChecks) {
	if !e.Address.IsValid() {
		return
	}
	this := addressed{name: b.Name, listener: e.Listener, identified: d.identifies(b)}
	for _, other := range checks.addressed[e.Address] {
		if this.confusable(other) {
			d.problems.fail(b.Address.Expr.Range(), "give each of them its host_keys, host_principals, certificates or certificate_names, so that they can be told apart", "sessions %q and %q have the same address", other.name, b.Name)
			break
		}
	}
	checks.addressed[e.Address] = append(checks.addressed[e.Address], this)
}

func (a addressed) confusable(other addressed) bool {
	apart := a.listener != "" && other.listener != "" && a.listener != other.listener
	return !apart && (!a.identified || !other.identified)
}

func (d *decoder) hello(b *helloBlock) (h callhome.HelloOptions) {
	for _, s := range d.list(b.Base) {
		if s.text != "1.0" && s.text != "1.1" {
			d.problems.fail(s.at, `it is "1.0" or "1.1"`, "%q is not a base version of NETCONF", s.text)
			continue
		}
		h.Base = append(h.Base, s.text)
	}
	for _, s := range d.list(b.Capabilities) {
		d.checkCapability(s)
		h.Capabilities = append(h.Capabilities, s.text)
	}
	return h
}

const baseCapability = "urn:ietf:params:netconf:base:"

func (d *decoder) checkCapability(s item) {
	notURI := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	switch {
	case !strings.Contains(s.text, ":") || strings.ContainsFunc(s.text, notURI) || len(s.text) > 1024:
		d.problems.fail(s.at, `as in "urn:ietf:params:netconf:capability:notification:1.0"`, "%q is not a capability URI", s.text)
	case strings.HasPrefix(s.text, baseCapability):
		d.problems.fail(s.at, fmt.Sprintf("set base = [%q] instead", strings.TrimPrefix(s.text, baseCapability)), "a base version is no further capability")
	}
}
