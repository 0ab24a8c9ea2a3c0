package daemon

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// Users implements control.Backend.
func (b backend) Users(context.Context) ([]control.User, error) { return b.users(), nil }

func (b backend) users() (list []control.User) {
	s, saved := b.settings(), b.savedAt()
	for name, u := range s.Callhome.NamedUsers {
		origin := s.UserOrigin(name)
		list = append(list, control.User{
			Name: name, Username: u.Username, Methods: methods(u), Callhome: 1 + slices.Index(s.Callhome.Users, u),
			From: string(origin), Since: saved.of(config.SavedUser, name, origin),
		})
	}
	for _, aside := range s.setAside(config.SavedUser) {
		list = append(list, control.User{
			Name: aside.Name, Methods: []string{}, From: control.FromSaved, Problem: aside.Reason,
			Since: saved.of(config.SavedUser, aside.Name, config.FromSaved),
		})
	}
	slices.SortFunc(list, func(a, b control.User) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.From, b.From)) })
	return list
}

// methods are how a user entry logs in.
func methods(u *auth.User) []string {
	list := []string{}
	if u.Password != "" {
		list = append(list, "password")
	}
	if len(u.Keys) > 0 {
		list = append(list, "private-key")
	}
	if u.TLS != nil {
		list = append(list, "certificate")
	}
	return list
}

// setAside returns what was saved of the kind and does not count.
func (s *settings) setAside(kind string) (list []config.SetAside) {
	for _, aside := range s.SetAside {
		if aside.Kind == kind {
			list = append(list, aside)
		}
	}
	return list
}

// savedTimes tell when each entry was saved.
type savedTimes map[[2]string]time.Time

func (b backend) savedAt() savedTimes {
	t := make(savedTimes)
	for _, s := range b.store.Saved() {
		t[[2]string{s.Kind, s.Name}] = s.Since
	}
	return t
}

// of is zero for what was not saved: one that was may have the same name.
func (t savedTimes) of(kind, name string, origin config.Origin) time.Time {
	if origin != config.FromSaved {
		return time.Time{}
	}
	return t[[2]string{kind, name}]
}

func (t savedTimes) has(kind, name string) bool {
	_, ok := t[[2]string{kind, name}]
	return ok
}

// SaveUser implements control.Backend.
func (b backend) SaveUser(ctx context.Context, r control.SaveUserRequest) (control.User, error) {
	name := strings.ToLower(r.Name)
	s := b.settings()
	switch {
	case r.Password == "" && r.PrivateKey == "":
		return control.User{}, fmt.Errorf("%w: user %.80q has neither a password nor a private key", control.ErrInvalid, name)
	case s.Callhome.NamedUsers[name] != nil && s.UserOrigin(name) != config.FromSaved:
		return control.User{}, fmt.Errorf("user %s: %w: change it there, or choose another name", name, control.ErrConfigured)
	}
	text := config.UserText(config.UserSpec{
		Name: name, Username: r.Username, Password: auth.Secret(r.Password), PrivateKey: auth.Secret(r.PrivateKey),
	}, config.SecretsInText)
	parts := []store.Saved{{Kind: store.SavedUser, Name: name, Text: text}}
	if r.Callhome && !b.isCallhomeUser(name) {
		parts = append(parts, store.Saved{Kind: store.SavedCallhomeUser, Name: name})
	}
	if err := b.save(ctx, parts...); err != nil {
		return control.User{}, err
	}
	b.log.Info("a user entry was saved", "user", name)
	b.events.operator("", "saved user %s", name)
	for _, u := range b.users() {
		if u.Name == name && u.From == control.FromSaved {
			return u, nil
		}
	}
	return control.User{}, unknownEntry("user", name)
}

// unknownEntry is the error about an entry that nobody knows.
func unknownEntry(kind, name string) error {
	return fmt.Errorf("%s %.80q: %w: \"callhome-gateway %s list\" shows those that there are", kind, name, auth.ErrUnknownEntry, kind)
}

// RemoveUser implements control.Backend.
func (b backend) RemoveUser(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	s := b.settings()
	switch {
	case !b.savedAt().has(store.SavedUser, name) && s.Callhome.NamedUsers[name] != nil:
		return fmt.Errorf("user %s: %w: remove it there", name, control.ErrConfigured)
	case !b.savedAt().has(store.SavedUser, name):
		return unknownEntry("user", name)
	case s.UserOrigin(name) == config.FromSaved:
		if users := b.whoUses(name); len(users) > 0 {
			return fmt.Errorf("user %s: %w by %s", name, control.ErrInUse, enumerate(users))
		}
	}
	if err := b.unsave(ctx, store.SavedUser, name); err != nil {
		return err
	}
	b.log.Info("a user entry was removed", "user", name)
	b.events.operator("", "removed user %s", name)
	return nil
}

// whoUses names what refers to a user entry that was saved.
func (b backend) whoUses(user string) (list []string) {
	if b.isCallhomeUser(user) {
		list = append(list, "the callhome-users")
	}
	for name, e := range b.settings().entries {
		if e.User != nil && e.User.Name == user {
			list = append(list, "session "+name)
		}
	}
	for _, device := range b.store.Devices() {
		if device.User == user {
			list = append(list, "device "+device.Name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// enumerate lists a few of many.
func enumerate(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

// isCallhomeUser reports whether it is one, or was saved as one.
func (b backend) isCallhomeUser(name string) bool {
	s := b.settings()
	return slices.ContainsFunc(s.Callhome.Users, func(u *auth.User) bool { return u.Name == name }) ||
		b.savedAt().has(store.SavedCallhomeUser, name)
}
