package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrUserCertificate says that an SSH certificate lets nobody in. The errors of
// UserCertificate wrap it with which certificate it is and what is wrong.
var ErrUserCertificate = errors.New("the SSH certificate is not accepted")

// sourceAddress is the only critical option (PROTOCOL.certkeys of OpenSSH) that
// means something to a NETCONF server.
const sourceAddress = "source-address"

// newUserCAs returns the marshalled keys of the CAs.
func newUserCAs(keys []ssh.PublicKey) (map[string]bool, error) {
	cas := make(map[string]bool, len(keys))
	for _, key := range keys {
		if _, ok := key.(*ssh.Certificate); ok {
			return nil, fmt.Errorf("the user CA %s is a certificate: give the key that signs certificates", ssh.FingerprintSHA256(key))
		}
		cas[string(key.Marshal())] = true
	}
	return cas, nil
}

// UserCertificate returns the manager that the SSH user certificate would
// prove, if it may reach the device. Like Key it is asked before the signature
// of the one who logs in is checked. The certificate is looked at before the
// name: whether there is such a manager shows in no answer that takes longer.
func (l *Logins) UserCertificate(a Attempt, cert *ssh.Certificate) (*Manager, error) {
	if err := l.checkUserCert(cert, a.Source, time.Now()); err != nil {
		return nil, refusedCert(cert, err)
	}
	return l.holder(a, cert)
}

// holder returns the manager that a certificate of one of the CAs proves, if it
// may reach the device.
func (l *Logins) holder(a Attempt, cert *ssh.Certificate) (*Manager, error) {
	m, reason := l.find(a)
	if reason != nil {
		return nil, reason
	}
	if !slices.ContainsFunc(m.principals(), func(p string) bool { return slices.Contains(cert.ValidPrincipals, p) }) {
		return nil, refusedCert(cert, fmt.Errorf("its principals, %.100q, are not those of manager %s", strings.Join(cert.ValidPrincipals, ","), m.Name))
	}
	return m, nil
}

// refusedCert names the certificate. Its key id is what a CA has written, or
// anybody else.
func refusedCert(cert *ssh.Certificate, err error) error {
	return fmt.Errorf("%w: %.80q (serial %d, CA %s): %w",
		ErrUserCertificate, cert.KeyId, cert.Serial, ssh.FingerprintSHA256(cert.SignatureKey), err)
}

// checkUserCert returns why the certificate lets nobody in from there now. The
// cheap checks come first.
func (l *Logins) checkUserCert(cert *ssh.Certificate, source netip.Addr, now time.Time) error {
	if err := l.checkUserCA(cert); err != nil {
		return err
	}
	switch {
	case cert.CertType != ssh.UserCert:
		return errors.New("it is a host's, not a user's")
	case !slices.Contains(SignatureAlgorithms(), cert.Signature.Format):
		return fmt.Errorf("it is signed with %.40q: sign it with another algorithm, for example ssh-keygen -t rsa-sha2-512", cert.Signature.Format)
	case len(cert.ValidPrincipals) == 0:
		return errors.New("it has no principal, which would make it everybody's: sign it with ssh-keygen -n")
	}
	if err := sshValidAt(cert, now); err != nil {
		return err
	}
	if err := checkCriticalOptions(cert.CriticalOptions, source); err != nil {
		return err
	}
	// Only this can check the signature; the rest it checks once more.
	checker := ssh.CertChecker{SupportedCriticalOptions: []string{sourceAddress}, Clock: func() time.Time { return now }}
	return checker.CheckCert(cert.ValidPrincipals[0], cert)
}

func (l *Logins) checkUserCA(cert *ssh.Certificate) error {
	if !l.userCAs[string(cert.SignatureKey.Marshal())] {
		return errors.New("its CA is not among those of the gateway (user_ca)")
	}
	return nil
}

// checkCriticalOptions returns an error when an option of a certificate
// forbids the login, or is one that we do not know how to honour.
func checkCriticalOptions(options map[string]string, source netip.Addr) error {
	for name := range options {
		if name != sourceAddress {
			return fmt.Errorf("its critical option %.40q is not supported: this is no shell, and only source-address is", name)
		}
	}
	list, limited := options[sourceAddress]
	if !limited {
		return nil
	}
	networks, err := parseNetworkList(list)
	switch {
	case err != nil:
		return fmt.Errorf("its source-address cannot be read: %w", err)
	case !Within(networks, source):
		return fmt.Errorf("its source-address, %.100q, does not have %s", list, source)
	}
	return nil
}

// parseNetworkList reads addresses and networks between commas, as sshd does.
func parseNetworkList(list string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for item := range strings.SplitSeq(list, ",") {
		network, err := netip.ParsePrefix(item)
		if addr, single := netip.ParseAddr(item); single == nil {
			addr = addr.Unmap()
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%.80q is neither an address nor a network", item)
		}
		networks = append(networks, network)
	}
	return networks, nil
}
