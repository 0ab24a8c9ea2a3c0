package auth

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// Manager is a northbound client: how it authenticates and what it may reach.
type Manager struct {
	Name string
	// PasswordHash is a bcrypt hash, or empty when no password is accepted.
	PasswordHash string
	// AuthorizedKeys are the public keys that log in as this manager.
	AuthorizedKeys []ssh.PublicKey
	// Principals are those of SSH user certificates that log in as this manager;
	// none means its Name alone.
	Principals []string
	// CertificateNames are names that cert-to-name may give for this manager,
	// besides Name itself. Upper and lower case differ.
	CertificateNames []string
	// Devices are globs of device names ("*" and "?"); none means no device.
	Devices []string
	// Access says what it may ask of them.
	Access Access
}

// MayReach reports whether the manager may use the device of that name. It
// says nothing about whether there is one.
func (m *Manager) MayReach(device string) bool {
	for _, glob := range m.Devices {
		if matchGlob(glob, device) {
			return true
		}
	}
	return false
}

// hasKey reports whether the key logs in as this manager.
func (m *Manager) hasKey(key ssh.PublicKey) bool {
	offered := key.Marshal()
	for _, own := range m.AuthorizedKeys {
		if bytes.Equal(own.Marshal(), offered) {
			return true
		}
	}
	return false
}

// principals returns those of certificates that log in as this manager.
func (m *Manager) principals() []string {
	if len(m.Principals) == 0 {
		return []string{m.Name}
	}
	return m.Principals
}

// MaxHashCost is the highest cost of a bcrypt hash. It bounds the time that one login may take: it doubles with each step,
// and 15 is two seconds already.
const MaxHashCost = 15

// check returns what is wrong with the manager itself.
func (m *Manager) check() error {
	if !ValidName(m.Name) {
		return fmt.Errorf("manager %q: a name has lower-case letters, digits and hyphens, 63 at most", m.Name)
	}
	for _, name := range m.CertificateNames {
		if !usableName(name) {
			return fmt.Errorf("manager %q: %.80q cannot be a certificate name: that is 1 to %d bytes of text", m.Name, name, maxCertificateName)
		}
	}
	for _, principal := range m.Principals {
		if !usableName(principal) {
			return fmt.Errorf("manager %q: %.80q cannot be a principal: that is 1 to %d bytes of text", m.Name, principal, maxCertificateName)
		}
	}
	for _, key := range m.AuthorizedKeys {
		if _, ok := key.(*ssh.Certificate); ok {
			return fmt.Errorf("manager %q: the authorized key %s is a certificate: give the key alone, or its CA as user_ca", m.Name, ssh.FingerprintSHA256(key))
		}
	}
	if m.PasswordHash == "" {
		return nil
	}
	switch cost, err := bcrypt.Cost([]byte(m.PasswordHash)); {
	case err != nil:
		return fmt.Errorf("manager %q: the password hash is no bcrypt hash; make one with hash-password", m.Name)
	case cost > MaxHashCost:
		return fmt.Errorf("manager %q: the password hash has cost %d, and %d is the most", m.Name, cost, MaxHashCost)
	}
	return nil
}

// Why a login failed: for the log, never for the one who tried.
var (
	ErrUnknownManager = errors.New("no manager has this name")
	ErrWrongPassword  = errors.New("wrong password")
	ErrOldPassword    = errors.New("the manager's password is another one by now")
	ErrUnknownKey     = errors.New("the key is not among the manager's authorized keys")
	ErrDeviceDenied   = errors.New("the manager may not reach this device")
	ErrPenalty        = errors.New("too many failed logins from this address")
	ErrLoginsBusy     = errors.New("too many logins at once")
)
