package auth

import "golang.org/x/crypto/ssh"

// Credential is what a manager has logged in with: one of these.
type Credential struct {
	// PasswordHash is the one by which its password was right.
	PasswordHash string
	// Key is the public key whose private key it has.
	Key ssh.PublicKey
	// UserCertificate is that of its key.
	UserCertificate *ssh.Certificate
}

// Again decides anew about a login that the credential has succeeded with
// before, at another time or by other options: for a session that goes on by it.
// What does not depend on the options stays proven: that a certificate has
// expired since ends nothing.
func (l *Logins) Again(a Attempt, c Credential) (*Manager, error) {
	switch {
	case c.UserCertificate != nil:
		if err := l.checkUserCA(c.UserCertificate); err != nil {
			return nil, refusedCert(c.UserCertificate, err)
		}
		return l.holder(a, c.UserCertificate)
	case c.Key != nil:
		return l.Key(a, c.Key)
	}
	m, err := l.find(a)
	switch {
	case err != nil:
		return nil, err
	case m.PasswordHash != c.PasswordHash:
		return nil, ErrOldPassword
	}
	return m, nil
}
