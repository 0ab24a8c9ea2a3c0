package auth

import (
	"bytes"
	"slices"

	"golang.org/x/crypto/ssh"
)

// User is a user entry: one username and every method that may prove it to a
// device, and the client certificate that takes their place over TLS. It is not
// modified after it is handed to a server.
type User struct {
	// Name is the entry's label in the configuration.
	Name string
	// Username is what the device is told.
	Username string
	// Password answers the password method, and keyboard-interactive prompts
	// that do not echo, when it is not empty.
	Password Secret
	// Keys are offered in order before the password.
	Keys []ssh.Signer
	// TLS is what logs in to devices that call over TLS; nil where the entry is
	// for SSH only. Username, Password and Keys play no part in it.
	TLS *UserTLS
	// HostCA vouches for devices that show host certificates over SSH; nil means
	// that certificates are not asked for.
	HostCA *HostCA
	// LegacyAlgorithms allows ssh-rsa, diffie-hellman-group14-sha1, hmac-sha1 and
	// CBC ciphers on SSH, for devices that have nothing better.
	LegacyAlgorithms bool
	// FirstUsePassword allows the password to be sent to a device that is
	// trusted on first use only: its identity was never checked by anyone.
	FirstUsePassword bool
}

// SameLogin reports whether devices are told and shown the same by both: then
// what has refused one refuses the other.
func (u *User) SameLogin(other *User) bool {
	sameKey := func(a, b ssh.Signer) bool { return bytes.Equal(a.PublicKey().Marshal(), b.PublicKey().Marshal()) }
	return u.Username == other.Username && u.Password == other.Password && u.FirstUsePassword == other.FirstUsePassword &&
		slices.EqualFunc(u.Keys, other.Keys, sameKey) && slices.EqualFunc(u.TLS.chain(), other.TLS.chain(), bytes.Equal)
}

// Secret is a string that does not print itself: not with %v, %q or %#v, and
// not in JSON.
type Secret string

const masked = "(secret)"

func (Secret) String() string               { return masked }
func (Secret) GoString() string             { return masked }
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// Reveal returns the secret itself, at the one place that needs it.
func (s Secret) Reveal() string { return string(s) }
