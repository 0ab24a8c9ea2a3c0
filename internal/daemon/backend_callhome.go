package daemon

import (
	"context"
	"fmt"
	"strings"

	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// Reload implements control.Backend.
func (b backend) Reload(ctx context.Context) (control.ReloadResult, error) { return b.reload(ctx) }

// CallhomeServer implements control.Backend.
func (b backend) CallhomeServer(context.Context) (control.CallhomeServer, error) {
	return b.callhomeServer(), nil
}

// StartCallhome implements control.Backend.
func (b backend) StartCallhome(ctx context.Context, r control.StartRequest) (control.CallhomeServer, error) {
	s, err := b.startCallhome(ctx, r)
	if err == nil {
		b.events.operator("", "calls are accepted")
	}
	return s, err
}

// StopCallhome implements control.Backend.
func (b backend) StopCallhome(ctx context.Context) (control.CallhomeServer, error) {
	s, err := b.stopCallhome(ctx)
	if err == nil {
		b.events.operator("", "no calls are accepted any more")
	}
	return s, err
}

// CallhomeUsers implements control.Backend.
func (b backend) CallhomeUsers(context.Context) ([]control.CallhomeUser, error) {
	s, saved := b.settings(), b.savedAt()
	list := []control.CallhomeUser{}
	for i, u := range s.Callhome.Users {
		origin := s.CallhomeUserOrigin(i)
		list = append(list, control.CallhomeUser{
			Order: i + 1, Name: u.Name, Username: u.Username,
			From: string(origin), Since: saved.of(config.SavedCallhomeUser, u.Name, origin),
		})
	}
	for _, aside := range s.setAside(config.SavedCallhomeUser) {
		list = append(list, control.CallhomeUser{
			Name: aside.Name, From: control.FromSaved, Problem: aside.Reason,
			Since: saved.of(config.SavedCallhomeUser, aside.Name, config.FromSaved),
		})
	}
	return list, nil
}

// AddCallhomeUser implements control.Backend.
func (b backend) AddCallhomeUser(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	switch {
	case b.settings().Callhome.NamedUsers[name] == nil:
		return unknownEntry("user", name)
	case b.isCallhomeUser(name):
		return fmt.Errorf("%w: %s is a callhome-user already", control.ErrInvalid, name)
	}
	if err := b.save(ctx, store.Saved{Kind: store.SavedCallhomeUser, Name: name}); err != nil {
		return err
	}
	b.log.Info("a callhome-user was added", "user", name)
	b.events.operator("", "added callhome-user %s", name)
	return nil
}

// RemoveCallhomeUser implements control.Backend.
func (b backend) RemoveCallhomeUser(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	if !b.savedAt().has(store.SavedCallhomeUser, name) {
		return b.notSaved(name)
	}
	if err := b.unsave(ctx, store.SavedCallhomeUser, name); err != nil {
		return err
	}
	b.log.Info("a callhome-user was removed", "user", name)
	b.events.operator("", "removed callhome-user %s", name)
	return nil
}

// notSaved says where a callhome-user is to be removed that was not added by an
// operator's command.
func (b backend) notSaved(name string) error {
	s := b.settings()
	for i, u := range s.Callhome.Users {
		switch {
		case u.Name != name:
		case s.CallhomeUserOrigin(i) == config.FromFlag:
			return fmt.Errorf("callhome-user %s: %w by --callhome-user of serve: start the gateway without it", name, control.ErrConfigured)
		default:
			return fmt.Errorf("callhome-user %s: %w: take it out of callhome.users there", name, control.ErrConfigured)
		}
	}
	return unknownEntry("callhome-user", name)
}
