package auth

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestAgain(t *testing.T) {
	hash := hashOf(t, "right")
	ca, other := signerOf(t, 60), signerOf(t, 61)
	cert := userCert(t, ca, func(c *ssh.Certificate) { c.ValidBefore = uint64(time.Now().Add(-time.Hour).Unix()) })
	noc := func(change func(*Manager)) LoginOptions {
		m := Manager{Name: "noc", PasswordHash: hash, AuthorizedKeys: []ssh.PublicKey{keyOf(t, 1)}, Devices: []string{"edge-*"}}
		if change != nil {
			change(&m)
		}
		return LoginOptions{Managers: []Manager{m}, UserCAs: []ssh.PublicKey{ca.PublicKey()}}
	}
	byPassword, byKey, byCert := Credential{PasswordHash: hash}, Credential{Key: keyOf(t, 1)}, Credential{UserCertificate: cert}
	for _, c := range []struct {
		name    string
		options LoginOptions
		by      Credential
		want    error
	}{
		{"the same password", noc(nil), byPassword, nil},
		{"the same password under another hash", noc(func(m *Manager) { m.PasswordHash = hashOf(t, "right") }), byPassword, ErrOldPassword},
		{"no password any more", noc(func(m *Manager) { m.PasswordHash = "" }), byPassword, ErrOldPassword},
		{"the same key", noc(nil), byKey, nil},
		{"another key", noc(func(m *Manager) { m.AuthorizedKeys = []ssh.PublicKey{keyOf(t, 2)} }), byKey, ErrUnknownKey},
		{"another password, but the same key", noc(func(m *Manager) { m.PasswordHash = "" }), byKey, nil},
		{"a certificate that has expired since", noc(nil), byCert, nil},
		{"other principals", noc(func(m *Manager) { m.Principals = []string{"ops"} }), byCert, ErrUserCertificate},
		{"another CA", LoginOptions{Managers: noc(nil).Managers, UserCAs: []ssh.PublicKey{other.PublicKey()}}, byCert, ErrUserCertificate},
		{"other devices", noc(func(m *Manager) { m.Devices = []string{"core-*"} }), byPassword, ErrDeviceDenied},
		{"other devices, by key", noc(func(m *Manager) { m.Devices = nil }), byKey, ErrDeviceDenied},
		{"other devices, by certificate", noc(func(m *Manager) { m.Devices = nil }), byCert, ErrDeviceDenied},
		{"no such manager", LoginOptions{}, byPassword, ErrUnknownManager},
	} {
		l, err := NewLogins(c.options)
		if err != nil {
			t.Fatal(err)
		}
		m, err := l.Again(Attempt{Manager: "noc", Device: "edge-1", Source: source(1)}, c.by)
		if !errors.Is(err, c.want) || (err == nil) != (m != nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// What was remembered by the old options counts by the new ones: guesses, sources
// that are known, and passwords whose hash is the same.
func TestOtherOptionsKeepTheMemory(t *testing.T) {
	hash := hashOf(t, "right")
	o := LoginOptions{Managers: []Manager{{Name: "noc", PasswordHash: hash, Devices: []string{"*"}}}}
	l, err := NewLogins(o)
	if err != nil {
		t.Fatal(err)
	}
	hashed := 0
	compare := l.hash
	l.hash = func(hash, password []byte) error {
		hashed++
		return compare(hash, password)
	}
	try := func(l *Logins, n int, password string) error {
		_, err := l.Password(t.Context(), Attempt{Manager: "noc", Device: "edge-1", Source: source(n)}, []byte(password))
		return err
	}
	if err := try(l, 1, "right"); err != nil {
		t.Fatal(err)
	}
	l.LoggedIn(source(1))
	for range int(pairBound / pairCost) {
		_ = try(l, 2, "wrong")
	}
	o.Managers = append(o.Managers, Manager{Name: "other", PasswordHash: hashOf(t, "other")})
	if l, err = l.With(o); err != nil {
		t.Fatal(err)
	}
	hashed = 0
	if err := try(l, 1, "right"); err != nil || hashed != 0 {
		t.Errorf("%v after %d hashes", err, hashed)
	}
	if err := try(l, 2, "right"); err != ErrPenalty {
		t.Errorf("who has guessed: %v", err)
	}
	if l.Arrival(source(1)).Penalised || !l.Arrival(source(3)).Penalised {
		t.Error("it is forgotten who is known")
	}
	o.Managers[0].PasswordHash = hashOf(t, "new")
	if l, err = l.With(o); err != nil {
		t.Fatal(err)
	}
	if err := try(l, 1, "right"); err != ErrWrongPassword {
		t.Errorf("the old password: %v", err)
	}
	if _, err := l.With(LoginOptions{Managers: []Manager{{Name: "No"}}}); err == nil {
		t.Error("a bad name was taken")
	}
}
