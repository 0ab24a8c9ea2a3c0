package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// nameOf returns the name of the device with the identity, where it has one.
func (b backend) nameOf(id auth.Identity) string {
	if device, ok := b.store.Approved(id); ok {
		return device.Name
	}
	if name := b.settings().pinned[id.Fingerprint]; name != "" {
		return name
	}
	return b.nameOfCertificate(id)
}

// nameOfCertificate finds a device that is known by the key of its certificate,
// or by a name in it, by what it has shown when it last called.
func (b backend) nameOfCertificate(id auth.Identity) string {
	for name := range b.settings().entries {
		seen, _ := b.store.Seen(name)
		o := seen.Outcome
		if trusted := o.Reason == callhome.Accepted || o.Reason == callhome.FailedLogin; trusted && o.Identity == id {
			return name
		}
	}
	return ""
}

// Devices implements control.Backend.
func (b backend) Devices(context.Context) ([]control.Device, error) { return b.devices(), nil }

// devices returns those that are known, by name, and then the pending ones.
func (b backend) devices() []control.Device {
	list := []control.Device{}
	for _, status := range b.gateway.Devices() {
		list = append(list, b.device(status))
	}
	for _, p := range b.store.Pending() {
		list = append(list, pendingDevice(p))
	}
	return list
}

func (b backend) device(status gateway.DeviceStatus) control.Device {
	d := control.Device{
		Name: status.Name, State: control.StateAway, Port: status.Port, TLSPort: status.TLSPort,
		Sessions: status.Mode.String(), Managers: len(status.Sessions),
	}
	seen, _ := b.store.Seen(status.Name)
	d.LastSeen, d.LastOutcome = seen.Last, outcome(seen)
	if o := seen.Outcome; o.Reason != "" {
		d.Address, d.User = o.Remote.Addr().String(), o.User
	}
	id := b.identity(status.Name, seen.Outcome)
	d.Identity, d.KeyType = id.Fingerprint, id.Type
	d.Transport = string(transportOf(id))
	if e := b.settings().entries[status.Name]; e != nil {
		d.CertificateNames, d.HostPrincipals = e.CertificateNames, e.HostPrincipals
		if e.Transport != "" {
			d.Transport = string(e.Transport)
		}
	}
	if approved, ok := b.store.Approved(id); ok && approved.User != "" {
		d.User = approved.User
	}
	if link := status.Link; link != nil {
		connected(&d, link)
	}
	return d
}

// identity returns the one that the device proved at its last call, if it was
// let in and still would be; otherwise the first that it would be let in with.
func (b backend) identity(name string, last callhome.Outcome) auth.Identity {
	var known []auth.Identity
	e := b.settings().entries[name]
	if e != nil {
		known = e.Pins
	}
	if last.Reason == callhome.Accepted && b.vouched(name, last.Identity) && len(b.store.Named(name)) == 0 {
		return last.Identity
	}
	if len(known) == 0 {
		for _, device := range b.store.Named(name) {
			known = append(known, device.Identity)
		}
	}
	for _, id := range known {
		if last.Reason == callhome.Accepted && id.Fingerprint == last.Identity.Fingerprint {
			return last.Identity // a pin may lack the type
		}
	}
	if len(known) == 0 {
		return auth.Identity{}
	}
	return known[0]
}

// vouched reports whether the device is known by more than whole identities: by a
// name in a certificate, by the key of one, or by a secret. Any may be the one
// that it shows.
func (b backend) vouched(name string, id auth.Identity) bool {
	e := b.settings().entries[name]
	switch {
	case e == nil:
		return id.Type == auth.TypeCertificate || b.store.Issued(name)
	case transportOf(id) == callhome.SSH:
		return len(e.Pins) == 0 && (len(e.HostPrincipals) > 0 || e.DeviceSecret != "")
	}
	return len(e.CertificateNames) > 0 || slices.ContainsFunc(e.Pins, func(pin auth.Identity) bool { return pin.Type == auth.TypeCertificateKey })
}

// transportOf returns what a device with the identity calls over. A bare
// fingerprint of a host key has no type.
func transportOf(id auth.Identity) callhome.Transport {
	if id.Type == auth.TypeCertificate || id.Type == auth.TypeCertificateKey {
		return callhome.TLS
	}
	return callhome.SSH
}

func connected(d *control.Device, link *callhome.Link) {
	d.State, d.Transport = control.StateConnected, link.Transport()
	d.Address, d.User = link.Remote().String(), link.User()
	d.Identity, d.KeyType = link.Identity().Fingerprint, link.Identity().Type
	d.Since, d.LastSeen = link.Since(), time.Now()
	d.Busy = link.Busy()
	d.Listener, d.DeviceID = link.Listener(), link.DeviceID()
	d.Algorithms = algorithms(link.Algorithms())
	d.SessionID = link.Control().Hello().SessionID
}

func algorithms(a callhome.Algorithms) *control.Algorithms {
	return &control.Algorithms{
		Version: a.Version, KeyExchange: a.KeyExchange, HostKey: a.HostKey,
		Sent: control.Protection(a.Sent), Received: control.Protection(a.Received),
	}
}

func outcome(seen store.Seen) *control.Outcome {
	if seen.Outcome.Reason == "" {
		return nil
	}
	o := seen.Outcome
	return &control.Outcome{Time: o.Time, Reason: string(o.Reason), Detail: o.Detail}
}

func pendingDevice(p auth.Pending) control.Device {
	return control.Device{
		Name: p.Name, State: control.StatePending, Transport: string(transportOf(p.Identity)), Address: p.Address.String(),
		Identity: p.Identity.Fingerprint, KeyType: p.Identity.Type, Certificate: p.Description,
		Since: p.First, LastSeen: p.Last, Calls: p.Calls,
		LastOutcome: &control.Outcome{Time: p.Last, Reason: string(callhome.RejectedPending), Detail: "waits for approval"},
	}
}

// Device implements control.Backend.
func (b backend) Device(_ context.Context, name string) (control.Device, error) {
	var found []control.Device
	for _, d := range b.devices() {
		if d.Name != "" && strings.EqualFold(d.Name, name) {
			found = []control.Device{d}
			break
		}
		if (auth.Identity{Fingerprint: d.Identity}).Matches(name) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 0:
		return control.Device{}, store.UnknownDevice(name)
	case 1:
		d := found[0]
		if link := b.callhome.Link(d.Name); link != nil && d.State == control.StateConnected {
			d.Capabilities = link.Control().Hello().Capabilities
		}
		return d, nil
	}
	return control.Device{}, fmt.Errorf("%.80q: %w (%d): give more of its fingerprint", name, auth.ErrAmbiguous, len(found))
}
