package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// Approve implements control.Backend.
func (b backend) Approve(ctx context.Context, r control.ApproveRequest) (control.Device, error) {
	if r.User != "" && b.settings().Callhome.NamedUsers[r.User] == nil {
		return control.Device{}, fmt.Errorf("%w: there is no user entry %.80q in the configuration", control.ErrInvalid, r.User)
	}
	device, replaced, err := b.store.Approve(store.Approval{Device: r.Device, Name: r.Name, User: r.User, Replace: r.Replace})
	if err != nil {
		return control.Device{}, err
	}
	for _, old := range replaced {
		b.dismiss(old.Name, device)
	}
	if err := b.gateway.AddDevice(device.Name); err != nil {
		b.log.Warn("an approved device has no endpoint", "device", device.Name, "error", err)
	}
	b.log.Info("a device was approved", "device", device.Name, "identity", device.Identity.Fingerprint, "user", device.User)
	b.events.operator(device.Name, "approved %s", device.Identity)
	return b.Device(ctx, device.Name)
}

// ApproveList implements control.Backend.
func (b backend) ApproveList(_ context.Context, list string) ([]control.Device, error) {
	lines, err := store.ReadApprovals(strings.NewReader(list))
	if err != nil {
		return nil, fmt.Errorf("%w: no device was approved: %w", control.ErrInvalid, err)
	}
	for _, l := range lines {
		if l.User != "" && b.settings().Callhome.NamedUsers[l.User] == nil {
			return nil, fmt.Errorf("%w: no device was approved: line %d: there is no user entry %.80q", control.ErrInvalid, l.Line, l.User)
		}
	}
	approved, err := b.store.ApproveAll(lines)
	if err != nil {
		return nil, err
	}
	names, devices := make([]string, len(approved)), make([]control.Device, len(approved))
	for i, device := range approved {
		names[i] = device.Name
		devices[i] = control.Device{
			Name: device.Name, State: control.StateAway, Transport: string(transportOf(device.Identity)),
			Identity: device.Identity.Fingerprint, KeyType: device.Identity.Type, User: device.User,
		}
	}
	b.gateway.Know(names...)
	b.start(func(ctx context.Context) error { return b.addDevices(ctx, names) })
	b.log.Info("a list of devices was approved", "devices", len(devices))
	b.events.operator("", "approved a list of %d devices", len(devices))
	return devices, nil
}

// dismiss ends what goes on under a name that an approval has taken from a
// device, or that the device itself had before.
func (b backend) dismiss(name string, approved auth.Device) {
	if name == approved.Name {
		b.end(name, "another key was approved under this name")
		return
	}
	b.end(name, "the device was given the name "+approved.Name)
	if !b.configured(name) {
		b.gateway.Forget(name)
	}
}

// Reject implements control.Backend.
func (b backend) Reject(_ context.Context, device string) (control.Device, error) {
	p, err := b.store.Reject(device)
	if err != nil {
		return control.Device{}, err
	}
	b.log.Info("a pending device was rejected", "identity", p.Identity.Fingerprint)
	b.events.operator(p.Name, "rejected %s", p.Identity)
	return pendingDevice(p), nil
}

// Forget implements control.Backend. A device that the configuration names
// stays known; only its approvals go.
func (b backend) Forget(_ context.Context, name string) error {
	name = strings.ToLower(name)
	configured := b.configured(name)
	if configured && len(b.store.Named(name)) == 0 && b.store.Voucher(name).IsZero() {
		return fmt.Errorf("%w: session %s is in the configuration, and nothing else is remembered of it: remove it there", control.ErrInvalid, name)
	}
	if err := b.store.Forget(name); err != nil {
		return err
	}
	b.end(name, "the device was forgotten")
	if !configured {
		b.gateway.Forget(name)
	}
	b.log.Info("a device was forgotten", "device", name)
	b.events.operator(name, "forgotten")
	return nil
}

// Disconnect implements control.Backend.
func (b backend) Disconnect(_ context.Context, name string) error {
	name = strings.ToLower(name)
	if b.end(name, "disconnected by an operator") {
		b.events.operator(name, "disconnected")
		return nil
	}
	if b.remembers(name) {
		return fmt.Errorf("%s: %w", name, control.ErrNotConnected)
	}
	return store.UnknownDevice(name)
}

// end closes the link of a device, and reports whether there was one.
func (b backend) end(name, reason string) bool {
	link := b.callhome.Link(name)
	if link == nil {
		return false
	}
	_ = link.CloseFor(errors.New(reason))
	return true
}
