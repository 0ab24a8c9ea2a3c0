package config

import (
	"fmt"
	"net"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2"
)

var sessionModes = map[string]gateway.SessionMode{
	gateway.SessionsDefault.String():   gateway.SessionsDefault,
	gateway.SessionsAuto.String():      gateway.SessionsAuto,
	gateway.SessionsOwn.String():       gateway.SessionsOwn,
	gateway.SessionsShared.String():    gateway.SessionsShared,
	gateway.SessionsExclusive.String(): gateway.SessionsExclusive,
}

func (d *decoder) sessionMode(a *hcl.Attribute) gateway.SessionMode {
	word := gateway.SessionsDefault.String()
	d.choice(a, []string{"auto", "own", "shared", "exclusive"}, &word)
	return sessionModes[word]
}

// transport also finds what does not go with it.
func (d *decoder) transport(b sessionBlock) callhome.Transport {
	word := ""
	d.choice(b.Transport, []string{string(callhome.SSH), string(callhome.TLS)}, &word)
	t := callhome.Transport(word)
	refuse := func(a *hcl.Attribute, other callhome.Transport) {
		if a != nil {
			d.problems.fail(a.Range, fmt.Sprintf("leave transport out for a device that may call over either, or take %s out", a.Name), `%s is for devices that call over %s, and transport is %q`, a.Name, strings.ToUpper(string(other)), t)
		}
	}
	switch t {
	case callhome.TLS:
		for _, a := range []*hcl.Attribute{b.HostKeys, b.HostPrincipals, b.DeviceID, b.DeviceSecret, b.LegacyAlgorithms} {
			refuse(a, callhome.SSH)
		}
	case callhome.SSH:
		for _, a := range []*hcl.Attribute{b.Certificates, b.CertificateKeys, b.CertificateNames} {
			refuse(a, callhome.TLS)
		}
	}
	if (t == callhome.TLS || b.onlyTLS()) && d.sessionMode(b.Sessions) == gateway.SessionsOwn {
		d.problems.fail(b.Sessions.Expr.Range(), `set "shared", "exclusive" or "auto"`, "a device has one session on a TLS connection: managers cannot have their own")
	}
	return t
}

// onlyTLS reports whether what the entry says of the device is in certificates
// alone: whatever transport leaves open, it is not found over SSH.
func (b sessionBlock) onlyTLS() bool {
	return b.Transport == nil && b.Address == nil && b.HostKeys == nil && b.HostPrincipals == nil && b.DeviceID == nil && b.identifies()
}

// certificatePins reads the pins of TLS devices: certificates and their keys.
func (d *decoder) certificatePins(b sessionBlock, checks sessionChecks) (pins []auth.Identity) {
	for _, kind := range []struct {
		attribute *hcl.Attribute
		typ, what string
		hint      string
	}{
		{b.Certificates, auth.TypeCertificate, "certificate", "openssl x509 -noout -fingerprint -sha256 -in FILE prints it"},
		{b.CertificateKeys, auth.TypeCertificateKey, "key", "this prints it: openssl x509 -noout -pubkey -in FILE | openssl pkey -pubin -outform DER | openssl dgst -sha256 -c"},
	} {
		for _, s := range d.list(kind.attribute) {
			fingerprint, err := auth.ParseCertificateFingerprint(strings.TrimSpace(s.text))
			if err != nil {
				d.problems.fail(s.at, `it is "SHA256:" and 64 hex digits with colons, "SHA256:9F:86:…"; `+kind.hint, "%s", err)
				continue
			}
			pin := auth.Identity{Type: kind.typ, Fingerprint: fingerprint}
			if checks.pin(d.problems, b.Name, pin, kind.what, s.at) {
				pins = append(pins, pin)
			}
		}
		d.notEmpty(kind.attribute)
	}
	return pins
}

// notEmpty refuses a list that pins nothing, which may be a mistake.
func (d *decoder) notEmpty(a *hcl.Attribute) {
	if a != nil && emptyList(a) {
		d.problems.fail(a.Range, "leave it out to have the trust setting decide", "%s is empty", a.Name)
	}
}

// checkSessionUser finds an entry whose user cannot log in over its transport.
func (d *decoder) checkSessionUser(b sessionBlock, t callhome.Transport) {
	s, ok := d.string(b.User)
	u, known := d.userBlocks[s.text]
	switch {
	case !ok || !known:
	case t == callhome.TLS && !u.hasTLS():
		d.problems.fail(s.at, "give it a tls block with certificate and key", "user %q cannot log in over TLS", s.text)
	case t == callhome.SSH && !u.hasSSH():
		d.problems.fail(s.at, "give it a username, and a password or private_key", "user %q cannot log in over SSH", s.text)
	}
}

// looksLikeIP tells addresses, also in brackets, from names.
func looksLikeIP(s string) bool { return net.ParseIP(strings.Trim(s, "[]")) != nil }
