package callhome

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// proof is what stage B is asked about: the identity of a device and what it
// shows with it.
type proof struct {
	identity auth.Identity
	// certificates are those that it sent over TLS, its own first.
	certificates []*x509.Certificate
	// host is the certificate for its host key over SSH, if it showed one. The
	// identity is the key: that stays the same when the certificate is renewed.
	host *ssh.Certificate
	// ca is the key of the CA that has vouched for the certificate before; zero
	// as long as none has. It goes on to vouch for whom it has let in, also when
	// the certificate expires.
	ca auth.Identity
	// old are the old algorithms that it agrees on over SSH; none by far most
	// times.
	old []string
}

// hostProof returns what a device proves over SSH with a host key, which
// x/crypto returns in its certificate if there is one.
func hostProof(key ssh.PublicKey) proof {
	if cert, ok := key.(*ssh.Certificate); ok {
		return proof{identity: auth.SSHIdentity(cert.Key), host: cert}
	}
	return proof{identity: auth.SSHIdentity(key)}
}

// certified reports whether there is a certificate that a CA may answer for.
func (p proof) certified() bool { return p.host != nil || len(p.certificates) > 0 }

// transport is what the device proves this over.
func (p proof) transport() Transport { return pinTransport(p.identity) }

// names returns what the device is called in its certificate.
func (p proof) names() []string {
	switch {
	case p.host != nil:
		return auth.HostPrincipals(p.host)
	case len(p.certificates) > 0:
		return auth.CertificateNames(p.certificates[0])
	}
	return nil
}

// fewNames shows some of the names to a person.
func (p proof) fewNames() string {
	names := p.names()
	if len(names) == 0 {
		return "no name at all"
	}
	return Quote(strings.Join(names, ", "))
}

// String says what the device shows.
func (p proof) String() string {
	switch {
	case p.host != nil:
		return fmt.Sprintf("a host certificate for the %s key %s", p.identity.Type, p.identity)
	case p.transport() == SSH:
		return fmt.Sprintf("the %s key %s", p.identity.Type, p.identity)
	}
	return fmt.Sprintf("the certificate %s", p.identity)
}

var (
	errNoAnchors = errors.New("the user entry has no CA to validate the certificate to")
	errBareKey   = errors.New("it is a bare key, and no certificate of a CA comes with it")
)

// voucher returns the key of the user's CA that answers for the certificate, or
// why none does.
func (p proof) voucher(user *auth.User, now time.Time) (auth.Identity, error) {
	if p.transport() == SSH {
		switch {
		case user.HostCA == nil:
			return auth.Identity{}, errNoAnchors
		case p.host == nil:
			return auth.Identity{}, errBareKey
		}
		if user.HostCA.Holds(p.ca) {
			return p.ca, nil
		}
		return auth.SSHIdentity(p.host.SignatureKey), user.HostCA.Verify(p.host, now)
	}
	if user.TLS == nil || user.TLS.Anchors == nil {
		return auth.Identity{}, errNoAnchors
	}
	if user.TLS.Anchors.Holds(p.ca) {
		return p.ca, nil
	}
	chain, err := user.TLS.Anchors.Verify(p.certificates, x509.ExtKeyUsageServerAuth, now)
	if err != nil {
		return auth.Identity{}, err
	}
	return auth.CertificateKeyIdentity(chain[len(chain)-1]), nil
}

// namedBy reports whether the CA of the user names devices.
func (p proof) namedBy(user *auth.User) bool {
	if p.transport() == SSH {
		return user.HostCA != nil && user.HostCA.NamesDevices
	}
	return user.TLS != nil && user.TLS.NameFrom != auth.NameFromNone
}

// deviceName returns the name that the certificate gives the device where the
// user's CA names devices.
func (p proof) deviceName(user *auth.User) (string, error) {
	if p.transport() == SSH {
		return user.HostCA.DeviceName(p.host)
	}
	return user.TLS.DeviceName(p.certificates[0])
}

// namesOption is the option of a session entry that expects such a certificate.
func (p proof) namesOption() string {
	if p.transport() == SSH {
		return "host_principals"
	}
	return "certificate_names"
}

// describe says what a certificate says of itself, for the one who approves the
// device.
func (p proof) describe() string {
	switch {
	case p.host != nil:
		return fmt.Sprintf("host certificate %s for %s, issued by the CA with the key %s",
			Quote(p.host.KeyId), p.fewNames(), ssh.FingerprintSHA256(p.host.SignatureKey))
	case len(p.certificates) > 0:
		cert := p.certificates[0]
		return fmt.Sprintf("%s, issued by %s, valid from %s to %s", Quote(cert.Subject.String()), Quote(cert.Issuer.String()),
			cert.NotBefore.UTC().Format(time.DateOnly), cert.NotAfter.UTC().Format(time.DateOnly))
	}
	return ""
}
