package auth

import "golang.org/x/crypto/ssh"

// Manager is a northbound client: how it authenticates and what it may reach.
type Manager struct {
	Name string
	// PasswordHash is a bcrypt hash, or empty when no password is accepted.
	PasswordHash string
	// AuthorizedKeys are the public keys that log in as this manager.
	AuthorizedKeys []ssh.PublicKey
	// Devices are globs of device names ("*" and "?"); none means no device.
	Devices []string
}
