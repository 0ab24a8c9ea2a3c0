package tests

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"callhome-gateway/tests/harness"
)

const (
	firstDomain  = "edge-1." + harness.Domain
	secondDomain = "edge-2." + harness.Domain

	// obtainTimeout is for an order with all its challenges.
	obtainTimeout = 60 * time.Second
	years         = 157_766_400 // in seconds: Pebble's own default
)

// acmeLab is a gateway that gets its certificates from a CA of its own.
type acmeLab struct {
	*harness.Gateway
	ca *harness.Pebble
}

func newACMELab(t *testing.T, validity int, environment ...string) acmeLab {
	t.Helper()
	harness.Need(t, "pebble")
	address := harness.Address(t)
	ca := harness.PreparePebble(t, address, validity, environment...)
	pki := harness.NewPKI(t)
	return acmeLab{
		Gateway: harness.PrepareGateway(t, harness.Config{
			Address: address, PKI: pki, TLS: append(pki.MapLines(), ca.Block(firstDomain, secondDomain)),
		}),
		ca: ca,
	}
}

// shown returns the certificate that a manager gets which asks for the name. It
// is nil if that is not one of the issuer's for the name that is expected; nil
// takes any.
func (l acmeLab) shown(issuer *harness.CA, asked, expected string) *x509.Certificate {
	config := &tls.Config{ServerName: asked, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		if issuer == nil {
			return nil
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(issuer.Certificate)
		for _, c := range s.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: expected})
		return err
	}}
	address := net.JoinHostPort(l.Address, harness.SharedTLSPort)
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: harness.ReplyTimeout}, "tcp", address, config)
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func (l acmeLab) await(t *testing.T, issuer *harness.CA, asked, expected string) (shown *x509.Certificate) {
	t.Helper()
	harness.Eventually(t, obtainTimeout, "the certificate for "+expected, func() bool {
		shown = l.shown(issuer, asked, expected)
		return shown != nil
	})
	return shown
}

func TestACertificateOfEachDomainComesFromACME(t *testing.T) {
	t.Parallel()
	for name, environment := range map[string][]string{
		"the CA takes every nonce":                 {"PEBBLE_WFE_NONCEREJECT=0"},
		"the CA rejects some nonces, as it may do": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := newACMELab(t, years, environment...)
			lab.ca.Start(t)
			lab.Start(t)
			issuer := lab.ca.CA(t)
			lab.await(t, issuer, firstDomain, firstDomain)
			second := lab.await(t, issuer, secondDomain, secondDomain)
			lab.await(t, issuer, "edge-3."+harness.Domain, firstDomain)

			// What was obtained is kept: the CA is not needed for the next start.
			lab.ca.Kill()
			lab.Stop(t)
			lab.Start(t)
			if again := lab.await(t, issuer, secondDomain, secondDomain); !again.Equal(second) {
				t.Error("after the restart another certificate is shown")
			}
			checkModes(t, filepath.Join(lab.StateDir, "certmagic"))
		})
	}
}

// checkModes: the files hold keys.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		files++
		return nil
	})
	if err != nil || files < 6 {
		t.Errorf("%d files in %s, %v", files, dir, err)
	}
}

func TestACertificateThatExpiredWhileTheGatewayWasOffIsRenewed(t *testing.T) {
	t.Parallel()
	const validity = 8
	lab := newACMELab(t, validity, "PEBBLE_WFE_NONCEREJECT=0")
	lab.ca.Start(t)
	lab.Start(t)
	issuer := lab.ca.CA(t)
	first := lab.await(t, issuer, firstDomain, firstDomain)
	lab.Stop(t)
	harness.Eventually(t, 2*validity*time.Second, "the end of the certificate", func() bool { return time.Now().After(first.NotAfter) })
	lab.Start(t)
	if renewed := lab.await(t, issuer, firstDomain, firstDomain); renewed.Equal(first) {
		t.Error("it is the old one")
	}
	lab.Stop(t)
}

func TestTheGatewayStartsWithoutTheCA(t *testing.T) {
	t.Parallel()
	lab := newACMELab(t, years, "PEBBLE_WFE_NONCEREJECT=0")
	lab.Start(t)
	lab.Output.Await(t, harness.ReplyTimeout, "managers are shown the gateway's own")
	own := lab.shown(nil, firstDomain, "")
	if own == nil || own.Subject.CommonName != "callhome-gateway" || own.VerifyHostname(firstDomain) != nil {
		t.Errorf("shown: %v", own)
	}
	// It tries again after a minute.
	lab.Output.Await(t, obtainTimeout, "will retry")
	lab.ca.Start(t)
	issuer := lab.ca.CA(t)
	harness.Eventually(t, 2*obtainTimeout, "the certificate of the CA", func() bool { return lab.shown(issuer, firstDomain, firstDomain) != nil })
}
