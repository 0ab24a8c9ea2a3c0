package auth

import "golang.org/x/crypto/ssh"

// HostCA is what a user entry trusts to certify the SSH host keys of devices
// (OpenSSH's host certificates).
type HostCA struct {
	// Keys are the CAs' public keys.
	Keys []ssh.PublicKey
	// NamesDevices says that the certificate's only principal names a device
	// without a session entry; otherwise an entry must expect a principal.
	NamesDevices bool
	// NameDomain is cut off principals that end with it, as UserTLS.NameDomain is.
	NameDomain string
}
