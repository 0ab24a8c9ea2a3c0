package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// Sessions implements control.Backend.
func (b backend) Sessions(context.Context) ([]control.SessionEntry, error) {
	s, saved := b.settings(), b.savedAt()
	devices := b.deviceStatus()
	list := []control.SessionEntry{}
	for _, e := range s.Callhome.Entries {
		origin := s.SessionOrigin(e.Name)
		entry := sessionEntry(&e, devices[e.Name])
		entry.From, entry.Since = string(origin), saved.of(config.SavedSession, e.Name, origin)
		list = append(list, entry)
	}
	for _, aside := range s.setAside(config.SavedSession) {
		list = append(list, control.SessionEntry{
			Name: aside.Name, Identities: []string{}, From: control.FromSaved, Problem: aside.Reason,
			Since: saved.of(config.SavedSession, aside.Name, config.FromSaved),
		})
	}
	slices.SortFunc(list, func(a, b control.SessionEntry) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.From, b.From))
	})
	return list, nil
}

func (b backend) deviceStatus() map[string]gateway.DeviceStatus {
	byName := make(map[string]gateway.DeviceStatus)
	for _, d := range b.gateway.Devices() {
		byName[d.Name] = d
	}
	return byName
}

func sessionEntry(e *callhome.Entry, device gateway.DeviceStatus) control.SessionEntry {
	s := control.SessionEntry{
		Name: e.Name, State: control.StateAway, Transport: string(e.Transport), Identities: []string{},
		Port: device.Port, TLSPort: device.TLSPort,
	}
	if device.Link != nil {
		s.State = control.StateConnected
	}
	switch {
	case !e.Address.IsValid():
	case e.Address.IsSingleIP():
		s.Address = e.Address.Addr().String()
	default:
		s.Address = e.Address.String()
	}
	for _, pin := range e.Pins {
		s.Identities = append(s.Identities, pin.Fingerprint)
	}
	if e.User != nil {
		s.User = e.User.Name
	}
	return s
}

// SaveSession implements control.Backend. The entry is saved under the name that
// the device has, so that its link stays, and then renamed if that is wanted.
func (b backend) SaveSession(ctx context.Context, r control.SaveSessionRequest) (control.SessionEntry, error) {
	name := strings.ToLower(r.Device)
	to := strings.ToLower(cmp.Or(r.Name, r.Device))
	entry, device, err := b.sessionOf(name)
	if err != nil {
		return control.SessionEntry{}, err
	}
	if r.Show {
		return b.shownSession(entry, device, to)
	}
	if b.configured(name) {
		return control.SessionEntry{}, fmt.Errorf("%w: %s has a session entry already (%s): give it another name with \"device rename\"",
			control.ErrInvalid, name, b.settings().SessionOrigin(name))
	}
	if to != name {
		if err := b.mayRename(name, to); err != nil {
			return control.SessionEntry{}, err
		}
	}
	text := config.SessionText(entry, device, config.SecretsInText)
	if err := b.save(ctx, store.Saved{Kind: store.SavedSession, Name: name, Text: text}); err != nil {
		return control.SessionEntry{}, err
	}
	b.log.Info("a session entry was saved", "session", name)
	b.events.operator(name, "saved as a session")
	if to != name {
		if err := b.rename(ctx, name, to); err != nil {
			return control.SessionEntry{}, fmt.Errorf("the session was saved as %s, and is called so still: %w", name, err)
		}
	}
	return b.session(ctx, to)
}

// sessionOf returns the session entry that a device has, or else one of the
// device as it is connected.
func (b backend) sessionOf(name string) (callhome.Entry, gateway.DeviceConfig, error) {
	s := b.settings()
	if e := s.entries[name]; e != nil {
		i := slices.IndexFunc(s.Gateway.Devices, func(d gateway.DeviceConfig) bool { return d.Name == name })
		return *e, s.Gateway.Devices[i], nil
	}
	link := b.callhome.Link(name)
	switch {
	case link == nil && b.remembers(name):
		return callhome.Entry{}, gateway.DeviceConfig{}, fmt.Errorf("%s: %w: its address and its key are known when it is", name, control.ErrNotConnected)
	case link == nil:
		return callhome.Entry{}, gateway.DeviceConfig{}, store.UnknownDevice(name)
	}
	addr := link.Remote().Addr().Unmap()
	entry := callhome.Entry{
		Name: name, Address: netip.PrefixFrom(addr, addr.BitLen()), Transport: callhome.Transport(link.Transport()),
		Pins: []auth.Identity{link.Identity()}, User: s.Callhome.NamedUsers[link.User()], Listener: link.Listener(),
	}
	status := b.deviceStatus()[name]
	return entry, gateway.DeviceConfig{Name: name, Port: status.Port, TLSPort: status.TLSPort}, nil
}

// shownSession returns the entry with its text, for a person.
func (b backend) shownSession(e callhome.Entry, device gateway.DeviceConfig, name string) (control.SessionEntry, error) {
	if !auth.ValidName(name) {
		return control.SessionEntry{}, fmt.Errorf("%.80q is %w", name, auth.ErrBadName)
	}
	shown := sessionEntry(&e, b.deviceStatus()[e.Name])
	e.Name, device.Name, shown.Name = name, name, name
	shown.HCL = config.SessionText(e, device, config.SecretsLeftOut)
	return shown, nil
}

func (b backend) session(ctx context.Context, name string) (control.SessionEntry, error) {
	list, err := b.Sessions(ctx)
	for _, s := range list {
		if s.Name == name && s.Problem == "" {
			return s, err
		}
	}
	return control.SessionEntry{}, cmp.Or(err, unknownEntry("session", name))
}

// RemoveSession implements control.Backend.
func (b backend) RemoveSession(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	if !b.savedAt().has(store.SavedSession, name) {
		if b.configured(name) {
			return fmt.Errorf("session %s: %w: remove it there", name, control.ErrConfigured)
		}
		return unknownEntry("session", name)
	}
	if err := b.unsave(ctx, store.SavedSession, name); err != nil {
		return err
	}
	b.log.Info("a session entry was removed", "session", name)
	b.events.operator(name, "the session was removed")
	return nil
}

// Rename implements control.Backend.
func (b backend) Rename(ctx context.Context, r control.RenameRequest) (control.Device, error) {
	from, to := strings.ToLower(r.Device), strings.ToLower(r.Name)
	if err := b.rename(ctx, from, to); err != nil {
		return control.Device{}, err
	}
	return b.Device(ctx, to)
}

// mayRename returns why a device cannot have another name, as far as the
// configuration says.
func (b backend) mayRename(from, to string) error {
	s := b.settings()
	switch {
	case !b.remembers(from):
		return store.UnknownDevice(from)
	case from == to:
		return fmt.Errorf("%w: it is called %s already", control.ErrInvalid, from)
	case !auth.ValidName(to):
		return fmt.Errorf("%.80q is %w: use up to 63 letters, digits and hyphens, and no hyphen first", to, auth.ErrBadName)
	case b.remembers(to):
		return fmt.Errorf("renaming %s as %s: %w: choose another, or forget that device", from, to, auth.ErrNameTaken)
	case b.configured(from) && s.SessionOrigin(from) != config.FromSaved:
		return fmt.Errorf("session %s: %w: rename it there", from, control.ErrConfigured)
	}
	return nil
}

// rename gives a device another name, with its session entry if that was saved.
// Its link ends. If it returns an error nothing else has changed.
func (b backend) rename(ctx context.Context, from, to string) error {
	if err := b.beginChange(ctx); err != nil {
		return err
	}
	defer b.endChange()
	if err := b.mayRename(from, to); err != nil {
		return err
	}
	before, after := b.savedSession(from, from), b.savedSession(from, to)
	next, err := b.withRenamed(before, after)
	if err != nil {
		return err
	}
	if _, err := b.store.Rename(from, to, after...); err != nil {
		return err
	}
	if err := b.gateway.Rename(from, to); err != nil {
		_, undone := b.store.Rename(to, from, before...)
		return errors.Join(err, undone)
	}
	if next != nil {
		if _, err := b.follow(next, nil); err != nil {
			_, undone := b.store.Rename(to, from, before...)
			err = errors.Join(err, undone, b.gateway.Rename(to, from))
			b.end(from, "the device was to be given the name "+to)
			return err
		}
	}
	b.end(from, "the device was given the name "+to)
	if err := b.gateway.AddDevice(to); err != nil { // it may not have had its port yet
		b.log.Warn("a renamed device has no endpoint of its own", "device", to, "error", err)
	}
	b.log.Info("a device was renamed", "device", from, "name", to)
	b.events.operator(to, "renamed, it was %s", from)
	return nil
}

// withRenamed returns the configuration with a saved session entry under another
// name, or nil where none was saved.
func (b backend) withRenamed(before, after []store.Saved) (*config.Config, error) {
	if len(before) == 0 {
		return nil, nil
	}
	saved := b.store.Saved()
	saved[indexSaved(saved, before[0].Kind, before[0].Name)] = after[0]
	c, _, err := b.read(saved)
	if err != nil {
		return nil, err
	}
	return c, newlySetAside(b.settings().SetAside, c.SetAside)
}

// savedSession returns the saved entry of a device as it is under another name,
// or nothing if none was saved.
func (b backend) savedSession(device, name string) []store.Saved {
	if !b.configured(device) {
		return nil
	}
	entry, own, _ := b.sessionOf(device)
	return []store.Saved{savedAs(entry, own, name)}
}

func savedAs(e callhome.Entry, device gateway.DeviceConfig, name string) store.Saved {
	e.Name, device.Name = name, name
	return store.Saved{Kind: store.SavedSession, Name: name, Text: config.SessionText(e, device, config.SecretsInText)}
}
