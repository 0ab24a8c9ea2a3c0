package auth

import (
	"crypto/ed25519"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

func hashOf(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func keyOf(t *testing.T, seed byte) ssh.PublicKey {
	t.Helper()
	private := ed25519.NewKeyFromSeed(append(make([]byte, 31), seed))
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newLogins(t *testing.T, managers ...Manager) *Logins {
	t.Helper()
	l, err := NewLogins(LoginOptions{Managers: managers})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func source(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

func TestPassword(t *testing.T) {
	l := newLogins(t,
		Manager{Name: "noc", PasswordHash: hashOf(t, "right"), Devices: []string{"edge-*"}},
		Manager{Name: "keys-only", Devices: []string{"*"}},
		Manager{Name: "nothing", PasswordHash: hashOf(t, "right")})
	for i, c := range []struct {
		manager, device, password string
		want                      error
	}{
		{"noc", "edge-1", "right", nil},
		{"noc", "EDGE-1", "right", nil},
		{"noc", "edge-that-does-not-exist", "right", nil},
		{"noc", "", "right", nil},
		{"noc", "edge-1", "wrong", ErrWrongPassword},
		{"noc", "edge-1", "", ErrWrongPassword},
		{"noc", "core-1", "right", ErrDeviceDenied},
		{"noc", "core-1", "wrong", ErrWrongPassword},
		{"NOC", "edge-1", "right", ErrUnknownManager},
		{"", "edge-1", "right", ErrUnknownManager},
		{"keys-only", "edge-1", "", ErrWrongPassword},
		{"keys-only", "edge-1", "right", ErrWrongPassword},
		{"nothing", "", "right", ErrDeviceDenied},
	} {
		attempt := Attempt{Manager: c.manager, Device: c.device, Source: source(i)}
		m, err := l.Password(t.Context(), attempt, []byte(c.password))
		if !errors.Is(err, c.want) || (err == nil) != (m != nil) {
			t.Errorf("%s/%s on %q: %v, want %v", c.manager, c.password, c.device, err, c.want)
		}
		if m != nil && m.Name != c.manager {
			t.Errorf("%s: logged in as %s", c.manager, m.Name)
		}
	}
}

func TestKey(t *testing.T) {
	l := newLogins(t, Manager{Name: "noc", AuthorizedKeys: []ssh.PublicKey{keyOf(t, 1), keyOf(t, 2)}, Devices: []string{"edge-*"}})
	for _, c := range []struct {
		manager, device string
		key             byte
		want            error
	}{
		{"noc", "edge-1", 1, nil},
		{"noc", "edge-1", 2, nil},
		{"noc", "edge-1", 3, ErrUnknownKey},
		{"noc", "core-1", 1, ErrDeviceDenied},
		{"other", "edge-1", 1, ErrUnknownManager},
	} {
		_, err := l.Key(Attempt{Manager: c.manager, Device: c.device}, keyOf(t, c.key))
		if !errors.Is(err, c.want) {
			t.Errorf("%s with key %d on %s: %v, want %v", c.manager, c.key, c.device, err, c.want)
		}
	}
}

func TestCertificate(t *testing.T) {
	l := newLogins(t,
		Manager{Name: "noc", CertificateNames: []string{"Alice@example.net", "noc", "noc.example"}, Devices: []string{"edge-*"}},
		Manager{Name: "other", Devices: []string{"*"}},
		Manager{Name: "nothing"})
	for _, c := range []struct {
		name, device, manager string
		want                  error
	}{
		{"noc", "edge-1", "noc", nil},
		{"Alice@example.net", "edge-1", "noc", nil},
		{"noc.example", "", "noc", nil},
		{"other", "core-1", "other", nil},
		{"noc.example", "core-1", "", ErrDeviceDenied},
		{"nothing", "", "", ErrDeviceDenied},
		{"alice@example.net", "edge-1", "", ErrUnknownManager},
		{"NOC", "edge-1", "", ErrUnknownManager},
		{"", "edge-1", "", ErrUnknownManager},
	} {
		m, err := l.Certificate(Attempt{Manager: c.name, Device: c.device, Source: source(1)})
		if !errors.Is(err, c.want) || (err == nil) != (m != nil) || m != nil && m.Name != c.manager {
			t.Errorf("%s on %q: %v, %v; want %v", c.name, c.device, m, err, c.want)
		}
	}
	// A name of a certificate is none to log in to SSH with.
	if _, err := l.Key(Attempt{Manager: "noc.example"}, keyOf(t, 1)); err != ErrUnknownManager {
		t.Error(err)
	}
}

func TestNewLoginsRefusesCertificateNames(t *testing.T) {
	for want, managers := range map[string][]Manager{
		"share the certificate name \"x\"":     {{Name: "a", CertificateNames: []string{"x"}}, {Name: "b", CertificateNames: []string{"y", "x"}}},
		"share the certificate name \"a\"":     {{Name: "a"}, {Name: "b", CertificateNames: []string{"a"}}},
		"share the certificate name \"b\"":     {{Name: "a", CertificateNames: []string{"b"}}, {Name: "b"}},
		"\"\" cannot be a certificate name":    {{Name: "a", CertificateNames: []string{""}}},
		"\"\\n\" cannot be a certificate name": {{Name: "a", CertificateNames: []string{"\n"}}},
	} {
		if _, err := NewLogins(LoginOptions{Managers: managers}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestNewLoginsRefuses(t *testing.T) {
	good := Manager{Name: "noc", PasswordHash: hashOf(t, "x")}
	for name, managers := range map[string][]Manager{
		"defined twice": {good, good},
		"bcrypt":        {{Name: "noc", PasswordHash: "secret"}},
		"cost":          {{Name: "noc", PasswordHash: strings.Replace(good.PasswordHash, "$04$", "$20$", 1)}},
		"a name has":    {{Name: "NOC"}},
	} {
		if _, err := NewLogins(LoginOptions{Managers: managers}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v does not say %q", err, name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v shows the hash", err)
		}
	}
}
