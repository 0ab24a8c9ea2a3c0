package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func signerOf(t testing.TB, seed byte) ssh.Signer {
	t.Helper()
	return sshSigner(t, ed25519.NewKeyFromSeed(append(make([]byte, 31), seed)), nil)
}

func rsaSigner(t testing.TB, algorithm string) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return withAlgorithm(t, sshSigner(t, key, err), algorithm)
}

// userCert returns a certificate for key 9 and principal "noc", valid from an
// hour ago for two hours, changed by change and signed by the CA.
func userCert(t testing.TB, ca ssh.Signer, change func(*ssh.Certificate)) *ssh.Certificate {
	t.Helper()
	now := time.Now()
	cert := &ssh.Certificate{
		Key: signerOf(t, 9).PublicKey(), CertType: ssh.UserCert, KeyId: "noc's laptop", Serial: 7,
		ValidPrincipals: []string{"noc"},
		ValidAfter:      uint64(now.Add(-time.Hour).Unix()), ValidBefore: uint64(now.Add(time.Hour).Unix()),
	}
	if change != nil {
		change(cert)
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestUserCertificate(t *testing.T) {
	ca, other := signerOf(t, 50), signerOf(t, 51)
	sha512, sha1 := rsaSigner(t, ssh.KeyAlgoRSASHA512), rsaSigner(t, ssh.KeyAlgoRSA)
	l, err := NewLogins(LoginOptions{
		Managers: []Manager{
			{Name: "noc", Devices: []string{"edge-*"}},
			{Name: "ops", Principals: []string{"netops", "root"}, Devices: []string{"*"}},
			{Name: "nothing"},
		},
		UserCAs: []ssh.PublicKey{ca.PublicKey(), sha512.PublicKey(), sha1.PublicKey()},
	})
	if err != nil {
		t.Fatal(err)
	}
	principals := func(names ...string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.ValidPrincipals = names }
	}
	option := func(name, value string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{name: value} }
	}
	from := func(list string) func(*ssh.Certificate) { return option("source-address", list) }
	now := uint64(time.Now().Unix())
	for name, c := range map[string]struct {
		ca              ssh.Signer
		change          func(*ssh.Certificate)
		manager, device string
		source          string
		want            string // in the error; empty when it may come in
	}{
		"its own name":           {},
		"one of its principals":  {manager: "ops", change: principals("x", "root")},
		"no device named":        {device: "-"},
		"for ever":               {change: func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = 0, ssh.CertTimeInfinity }},
		"RSA CA with SHA-2":      {ca: sha512},
		"extensions say nothing": {change: func(c *ssh.Certificate) { c.Extensions = map[string]string{"permit-pty": ""} }},
		"from an address":        {change: from("198.51.100.1,192.0.2.1")},
		"from a network":         {change: from("192.0.2.0/24")},
		"from a mapped address":  {change: from("192.0.2.1"), source: "::ffff:192.0.2.1"},
		"from an IPv6 network":   {change: from("2001:db8::/32"), source: "2001:db8::7"},
		"from a zone":            {change: from("fe80::/10"), source: "fe80::7%eth0"},

		"another CA":                  {ca: other, want: "user_ca"},
		"a host's":                    {change: func(c *ssh.Certificate) { c.CertType = ssh.HostCert }, want: "a host's"},
		"no type":                     {change: func(c *ssh.Certificate) { c.CertType = 0 }, want: "a host's"},
		"RSA CA with SHA-1":           {ca: sha1, want: `signed with "ssh-rsa"`},
		"no principal":                {change: principals(), want: "no principal"},
		"an empty principal":          {change: principals(""), want: "its principals"},
		"another's principal":         {change: principals("ops", "netops"), want: "its principals"},
		"its name is no principal":    {manager: "ops", change: principals("ops"), want: "its principals"},
		"principals differ by case":   {change: principals("NOC"), want: "its principals"},
		"not yet":                     {change: func(c *ssh.Certificate) { c.ValidAfter = now + 600 }, want: "valid from 20"},
		"expired":                     {change: func(c *ssh.Certificate) { c.ValidBefore = now - 1 }, want: "valid until 20"},
		"from 1970 to 1970":           {change: func(c *ssh.Certificate) { c.ValidBefore = 0 }, want: "valid until 1970"},
		"from the end of time":        {change: func(c *ssh.Certificate) { c.ValidAfter = 1 << 63 }, want: "valid from 9999-12-31"},
		"a date that overflows":       {change: func(c *ssh.Certificate) { c.ValidBefore = 1<<63 + 5 }, want: "expired"},
		"from elsewhere":              {change: from("198.51.100.0/24"), want: "does not have 192.0.2.1"},
		"from nowhere":                {change: from(""), want: "neither an address nor a network"},
		"from a name":                 {change: from("192.0.2.1,office.example"), want: `"office.example" is neither`},
		"from everywhere but":         {change: from("!198.51.100.1,0.0.0.0/0"), want: "is neither"},
		"from one, source unknown":    {change: from("0.0.0.0/0"), source: "none", want: "does not have"},
		"a command":                   {change: option("force-command", "netconf"), want: `"force-command" is not supported`},
		"verify-required":             {change: option("verify-required", ""), want: `"verify-required" is not supported`},
		"an option of nobody":         {change: option("x\ny", ""), want: `"x\ny" is not supported`},
		"not its device":              {device: "core-1", want: ErrDeviceDenied.Error()},
		"no device at all":            {manager: "nothing", device: "-", want: ErrDeviceDenied.Error()},
		"nobody":                      {manager: "nobody", want: ErrUnknownManager.Error()},
		"an expired one for somebody": {manager: "nobody", change: func(c *ssh.Certificate) { c.ValidBefore = now - 1 }, want: "valid until"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Attempt{Manager: "noc", Device: "edge-1", Source: netip.MustParseAddr("192.0.2.1")}
			signer := ca
			if c.ca != nil {
				signer = c.ca
			}
			if c.manager != "" {
				a.Manager = c.manager
			}
			switch c.device {
			case "-":
				a.Device = ""
			case "core-1":
				a.Device = c.device
			}
			switch c.source {
			case "none":
				a.Source = netip.Addr{}
			case "":
			default:
				a.Source = netip.MustParseAddr(c.source)
			}
			m, err := l.UserCertificate(a, userCert(t, signer, c.change))
			if c.want == "" {
				if err != nil || m == nil || m.Name != a.Manager {
					t.Errorf("%v, %v", m, err)
				}
				return
			}
			if err == nil || m != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v; want %q", m, err, c.want)
			}
		})
	}
}

// The log says which certificate it was; whatever stands in it stays on a line.
func TestRefusedCertificatesAreNamed(t *testing.T) {
	ca := signerOf(t, 50)
	l, err := NewLogins(LoginOptions{UserCAs: []ssh.PublicKey{ca.PublicKey()}})
	if err != nil {
		t.Fatal(err)
	}
	cert := userCert(t, ca, func(c *ssh.Certificate) {
		c.KeyId = "laptop\n[INFO] all is well" + strings.Repeat("x", 1<<10)
		c.CertType = ssh.HostCert
	})
	_, err = l.UserCertificate(Attempt{Manager: "noc"}, cert)
	if !errors.Is(err, ErrUserCertificate) {
		t.Fatal(err)
	}
	for _, want := range []string{`"laptop\n[INFO]`, "serial 7", ssh.FingerprintSHA256(ca.PublicKey())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if len(err.Error()) > 400 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

// A certificate that says it is of the CA and is not.
func TestForgedUserCertificate(t *testing.T) {
	ca := signerOf(t, 50)
	l, err := NewLogins(LoginOptions{Managers: []Manager{{Name: "noc", Devices: []string{"*"}}}, UserCAs: []ssh.PublicKey{ca.PublicKey()}})
	if err != nil {
		t.Fatal(err)
	}
	cert := userCert(t, ca, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"guest"} })
	cert.ValidPrincipals = []string{"noc"}
	if _, err := l.UserCertificate(Attempt{Manager: "noc", Device: "edge-1"}, cert); err == nil || !strings.Contains(err.Error(), "signature") {
		t.Error(err)
	}
}

func TestNewLoginsRefusesCertificatesForKeys(t *testing.T) {
	ca := signerOf(t, 50)
	cert := userCert(t, ca, nil)
	for want, o := range map[string]LoginOptions{
		"is a certificate: give the key that signs":      {UserCAs: []ssh.PublicKey{cert}},
		"is a certificate: give the key alone":           {Managers: []Manager{{Name: "noc", AuthorizedKeys: []ssh.PublicKey{cert}}}},
		`"" cannot be a principal`:                       {Managers: []Manager{{Name: "noc", Principals: []string{"noc", ""}}}},
		`"a\nb" cannot be a principal: that is 1 to 255`: {Managers: []Manager{{Name: "noc", Principals: []string{"a\nb"}}}},
	} {
		if _, err := NewLogins(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
