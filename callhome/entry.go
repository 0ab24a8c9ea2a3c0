package callhome

import (
	"net/netip"
	"slices"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
)

// Entry is a session entry: one known device, matched by address, by
// identity, or by both.
type Entry struct {
	// Name is the device's name (see auth.ValidName).
	Name string
	// Transport is SSH or TLS for a device that calls over that only; empty
	// means either.
	Transport Transport
	// Address matches calls from it: one address or a network; the zero
	// Prefix matches none.
	Address netip.Prefix
	// Pins are the identities that this device may prove; several for a key
	// rollover. None leaves the decision to CertificateNames or the trust
	// setting. Host keys count over SSH, and certificates (auth.TypeCertificate)
	// and their keys (auth.TypeCertificateKey) over TLS; a device that calls over
	// the one from Address, but is pinned for the other only, has changed. A Pin
	// whose Type is empty is the bare fingerprint of a host key: the device is
	// then asked for one key type after the other, a call each, until the pinned
	// one shows.
	Pins []auth.Identity
	// CertificateNames are the names of which the device's certificate must have
	// one, in a validated certificate of the Anchors of User.TLS (see
	// auth.CertificateNames). Entries without an address are also matched by
	// them. With Pins they do not count.
	CertificateNames []string
	// HostPrincipals are the names of which the device's SSH host certificate
	// must have one, where the HostCA of its user vouches for it. Entries without
	// an address are also matched by them. With Pins they do not count.
	HostPrincipals []string
	// DeviceID is what a Junos device calls itself before SSH starts, byte for
	// byte. Of itself it is a hint, of which user the device needs and of the name
	// to approve it under; with no other way to match, an entry waits for that
	// approval. It matches the device where a secret vouches for its host key:
	// DeviceSecret, or else the Listener's, whose first device of that id gets the
	// entry. It counts over SSH only.
	DeviceID string
	// DeviceSecret is what the device authenticates its host key with (the secret
	// of Junos outbound-ssh); it needs a DeviceID. A key that it vouches for is the
	// device's, whatever was approved before; with Pins it must be pinned as well.
	// A device that sends no HMAC is not shut out: what else matches it counts.
	DeviceSecret auth.Secret
	// Listener limits the entry to calls on the listener of that name; empty
	// means all.
	Listener string
	// LegacyAlgorithms is auth.User.LegacyAlgorithms for this device alone.
	LegacyAlgorithms bool
	// User is the credential for this device; nil means the callhome-users.
	User *auth.User
	// Hello changes what the device is offered in the gateway's hello.
	Hello HelloOptions
}

// HelloOptions changes the gateway's hello for devices that need it.
type HelloOptions struct {
	// Base lists the base versions to offer, of "1.0" and "1.1"; none means both.
	Base []string
	// Capabilities are offered in addition.
	Capabilities []string
}

// orNone returns nil where nothing is changed.
func (o HelloOptions) orNone() *HelloOptions {
	if len(o.Base)+len(o.Capabilities) == 0 {
		return nil
	}
	return &o
}

// hello returns the gateway's hello; that of nil is the usual one.
func (o *HelloOptions) hello() *netconf.Hello {
	if o == nil {
		o = &HelloOptions{}
	}
	h := &netconf.Hello{}
	if o.offers("1.0") {
		h.Capabilities = append(h.Capabilities, netconf.CapabilityBase10)
	}
	if o.offers("1.1") {
		h.Capabilities = append(h.Capabilities, netconf.CapabilityBase11)
	}
	h.Capabilities = append(h.Capabilities, o.Capabilities...)
	return h
}

func (o *HelloOptions) offers(base string) bool {
	return len(o.Base) == 0 || slices.Contains(o.Base, base)
}

// same reports whether both make the same hello.
func (o *HelloOptions) same(other *HelloOptions) bool {
	return slices.Equal(o.hello().Capabilities, other.hello().Capabilities)
}
