package auth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	middle := issue(t, caTemplate("middle"), root)
	other := issue(t, caTemplate("other"), nil)
	impostor := issue(t, caTemplate("root"), nil)

	leaf := func(by *issuer, change func(*x509.Certificate)) *x509.Certificate {
		c := template("edge-1")
		if change != nil {
			change(c)
		}
		return issue(t, c, by).Certificate
	}
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = testNow.AddDate(-1, 0, 0), testNow.AddDate(0, -1, 0)
	}
	future := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = testNow.AddDate(0, 1, 0), testNow.AddDate(1, 0, 0)
	}
	usage := func(u ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = u }
	}
	oldMiddleTemplate := caTemplate("old middle")
	expired(oldMiddleTemplate)
	oldMiddle := issue(t, oldMiddleTemplate, root)
	mailMiddleTemplate := caTemplate("mail")
	usage(x509.ExtKeyUsageEmailProtection)(mailMiddleTemplate)
	mailMiddle := issue(t, mailMiddleTemplate, root)
	noCA := issue(t, template("no CA"), root)
	narrowTemplate := caTemplate("narrow")
	narrowTemplate.PermittedDNSDomainsCritical, narrowTemplate.PermittedDNSDomains = true, []string{"example.net"}
	narrow := issue(t, narrowTemplate, root)
	selfLeaf := leaf(nil, nil)
	trustedLeaf := leaf(nil, nil)
	trustedOldLeaf := leaf(nil, expired)

	a := anchors(t, certs{root.Certificate, trustedLeaf, trustedOldLeaf})
	for name, c := range map[string]struct {
		sent  certs
		want  error
		says  string
		chain int
	}{
		"by the CA":                       {certs{leaf(root, nil)}, nil, "", 2},
		"the CA is sent too":              {certs{leaf(root, nil), root.Certificate}, nil, "", 2},
		"by an intermediate":              {certs{leaf(middle, nil), middle.Certificate}, nil, "", 3},
		"in no order, with strangers":     {certs{leaf(middle, nil), other.Certificate, root.Certificate, middle.Certificate}, nil, "", 3},
		"the intermediate is not sent":    {certs{leaf(middle, nil)}, ErrUnknownCA, `CN=middle`, 0},
		"with the right usage":            {certs{leaf(root, usage(x509.ExtKeyUsageServerAuth))}, nil, "", 2},
		"with any usage":                  {certs{leaf(root, usage(x509.ExtKeyUsageAny))}, nil, "", 2},
		"for clients":                     {certs{leaf(root, usage(x509.ExtKeyUsageClientAuth))}, ErrWrongUsage, "CN=edge-1", 0},
		"the intermediate is for mail":    {certs{leaf(mailMiddle, nil), mailMiddle.Certificate}, ErrWrongUsage, "", 0},
		"by another CA":                   {certs{leaf(other, nil)}, ErrUnknownCA, "CN=other", 0},
		"by another CA, which is sent":    {certs{leaf(other, nil), other.Certificate}, ErrUnknownCA, "CN=other", 0},
		"by a CA of the same name":        {certs{leaf(impostor, nil)}, ErrUnknownCA, "CN=root", 0},
		"expired, by that":                {certs{leaf(impostor, expired), impostor.Certificate}, ErrUnknownCA, "", 0},
		"self-signed":                     {certs{selfLeaf}, ErrSelfSigned, "CN=edge-1", 0},
		"self-signed, a chain beside it":  {certs{selfLeaf, middle.Certificate, root.Certificate}, ErrSelfSigned, "", 0},
		"self-signed with the CA's name":  {certs{impostor.Certificate}, ErrSelfSigned, "CN=root", 0},
		"self-signed and expired":         {certs{leaf(nil, expired)}, ErrSelfSigned, "", 0},
		"self-signed, itself an anchor":   {certs{trustedLeaf}, nil, "", 1},
		"that, expired":                   {certs{trustedOldLeaf}, ErrExpired, "CN=edge-1", 0},
		"expired":                         {certs{leaf(root, expired)}, ErrExpired, `"CN=edge-1" was valid until 2025-05-01T12:00:00Z, and it is 2025-06-01T12:00:00Z`, 0},
		"not valid yet":                   {certs{leaf(root, future)}, ErrExpired, `"CN=edge-1" is valid from 2025-07-01T12:00:00Z on`, 0},
		"expired, by another CA":          {certs{leaf(other, expired)}, ErrUnknownCA, "", 0},
		"expired, for clients":            {certs{leaf(root, func(c *x509.Certificate) { expired(c); usage(x509.ExtKeyUsageClientAuth)(c) })}, ErrWrongUsage, "", 0},
		"the intermediate expired":        {certs{leaf(oldMiddle, nil), oldMiddle.Certificate}, ErrExpired, `the CA "CN=old middle" was valid until`, 0},
		"it did before the leaf began":    {certs{leaf(oldMiddle, future), oldMiddle.Certificate}, ErrExpired, `"CN=edge-1" is valid from`, 0},
		"the issuer is no CA":             {certs{leaf(noCA, nil), noCA.Certificate}, ErrUnknownCA, "", 0},
		"a name that the CA may not give": {certs{leaf(narrow, func(c *x509.Certificate) { c.DNSNames = []string{"edge-1.example.com"} }), narrow.Certificate}, ErrCertificate, "not authorized", 0},
		"nothing":                         {nil, ErrCertificate, "none was sent", 0},
		"too many":                        {append(certs{leaf(root, nil)}, slices.Repeat(certs{other.Certificate}, maxSent)...), ErrCertificate, "15 is the most", 0},
	} {
		t.Run(name, func(t *testing.T) {
			chain, err := a.Verify(c.sent, x509.ExtKeyUsageServerAuth, testNow)
			if !errors.Is(err, c.want) || len(chain) != c.chain {
				t.Fatalf("a chain of %d, %v; want %d, %v", len(chain), err, c.chain, c.want)
			}
			if err == nil {
				if chain[0] != c.sent[0] || !contains(a.cas, chain[len(chain)-1]) || chain[0].NotAfter.Equal(dateless) {
					t.Errorf("chain %v", chain)
				}
				return
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q does not say %q on one line", err, c.says)
			}
		})
	}
}

func TestVerifyRefusesWeakSignatures(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	sha1 := func(c *x509.Certificate) *x509.Certificate {
		c.SignatureAlgorithm = x509.ECDSAWithSHA1
		return c
	}
	weakMiddle := issue(t, sha1(caTemplate("weak middle")), root)
	stranger := issue(t, caTemplate("stranger"), nil)
	// Nobody signs with MD5 any more, not even crypto/x509.
	md5 := *issue(t, template("edge-1"), root).Certificate
	md5.SignatureAlgorithm = x509.MD5WithRSA
	weakRoot := issue(t, sha1(caTemplate("weak root")), nil)
	a := anchors(t, certs{root.Certificate, weakRoot.Certificate})
	for name, c := range map[string]struct {
		sent certs
		want error
		says string
	}{
		"SHA-1":                     {certs{issue(t, sha1(template("edge-1")), root).Certificate}, ErrCertificate, `"CN=edge-1" is signed with ECDSA-SHA1`},
		"MD5":                       {certs{&md5}, ErrCertificate, "MD5-RSA"},
		"SHA-1 above":               {certs{issue(t, template("edge-1"), weakMiddle).Certificate, weakMiddle.Certificate}, ErrCertificate, `"CN=weak middle"`},
		"SHA-1 by a stranger":       {certs{issue(t, sha1(template("edge-1")), stranger).Certificate}, ErrUnknownCA, "CN=stranger"},
		"SHA-1, self-signed":        {certs{issue(t, sha1(template("edge-1")), nil).Certificate}, ErrSelfSigned, ""},
		"an anchor's own is no one": {certs{issue(t, template("edge-1"), weakRoot).Certificate}, nil, ""},
	} {
		_, err := a.Verify(c.sent, x509.ExtKeyUsageServerAuth, testNow)
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// What a stranger writes into a certificate is quoted and cut.
func TestVerifyQuotesNames(t *testing.T) {
	nasty := "edge\x1b[31m\n" + strings.Repeat("x", 1000)
	for _, by := range []*issuer{nil, issue(t, caTemplate(nasty), nil)} {
		_, err := anchors(t, certs{issue(t, caTemplate("root"), nil).Certificate}).
			Verify(certs{issue(t, template(nasty), by).Certificate}, x509.ExtKeyUsageServerAuth, testNow)
		if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 700 {
			t.Errorf("%q", err)
		}
	}
}

// With two chains to two anchors, one that is good is enough.
func TestVerifyTriesEveryChain(t *testing.T) {
	middle := issue(t, caTemplate("middle"), issue(t, caTemplate("unused"), nil))
	cross := func(by *issuer, from, until time.Time) *x509.Certificate {
		c := caTemplate("middle")
		c.NotBefore, c.NotAfter = from, until
		return sign(t, c, by, middle.key)
	}
	a, b := issue(t, caTemplate("a"), nil), issue(t, caTemplate("b"), nil)
	old := cross(a, testNow.AddDate(-2, 0, 0), testNow.AddDate(-1, 0, 0))
	current := cross(b, testNow.AddDate(-1, 0, 0), testNow.AddDate(1, 0, 0))
	leaf := issue(t, template("edge-1"), &issuer{old, middle.key}).Certificate
	for _, c := range []struct {
		sent  certs
		lists []*x509.RevocationList
		want  error
	}{
		{certs{leaf, old, current}, nil, nil},
		{certs{leaf, current, old}, nil, nil},
		{certs{leaf, old}, nil, ErrExpired},
		{certs{leaf, old, current}, []*x509.RevocationList{revoke(t, a, old)}, nil},
		{certs{leaf, old, current}, []*x509.RevocationList{revoke(t, b, current)}, ErrRevoked},
		{certs{leaf, current, old}, []*x509.RevocationList{revoke(t, b, current)}, ErrRevoked},
	} {
		_, err := anchors(t, certs{a.Certificate, b.Certificate}, c.lists...).Verify(c.sent, x509.ExtKeyUsageServerAuth, testNow)
		if !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}

func TestNewAnchorsRefuses(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	impostor := issue(t, caTemplate("root"), nil)
	middle := issue(t, caTemplate("middle"), root)
	leaf := issue(t, template("edge-1"), root)
	noListsTemplate := caTemplate("no lists")
	noListsTemplate.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	noLists := issue(t, noListsTemplate, nil)
	noListsTemplate.KeyUsage = x509.KeyUsageCertSign
	mayNot := sign(t, noListsTemplate, noLists, noLists.key)
	for name, c := range map[string]struct {
		cas  certs
		list *x509.RevocationList
		want string
	}{
		"a root":                          {certs{root.Certificate}, nil, ""},
		"an intermediate":                 {certs{middle.Certificate}, nil, ""},
		"a self-signed certificate":       {certs{issue(t, template("edge-1"), nil).Certificate}, nil, ""},
		"a root of version 1":             {certs{versionOne(t, root.Certificate)}, nil, `"CN=root" is a certificate of X.509 version 1`},
		"a device's of version 1":         {certs{versionOne(t, leaf.Certificate)}, nil, "pin it by its fingerprint instead"},
		"no CA at all":                    {nil, nil, "no CA certificate"},
		"a certificate of a CA":           {certs{root.Certificate, leaf.Certificate}, nil, `"CN=edge-1" is no CA certificate`},
		"a list":                          {certs{root.Certificate}, revoke(t, root), ""},
		"a list of a stranger":            {certs{root.Certificate}, revoke(t, middle), ""},
		"a forged list":                   {certs{root.Certificate}, revoke(t, impostor), `list of "CN=root" is not signed by`},
		"a list of one of two":            {certs{root.Certificate, impostor.Certificate}, revoke(t, impostor), ""},
		"a list of a CA that may do none": {certs{mayNot}, revoke(t, noLists), "may not sign lists"},
	} {
		var lists []*x509.RevocationList
		if c.list != nil {
			lists = append(lists, c.list)
		}
		_, err := NewAnchors(c.cas, lists)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A nil *Anchors is what a user entry without a CA has.
func TestNoAnchors(t *testing.T) {
	var a *Anchors
	sent := certs{issue(t, template("edge-1"), nil).Certificate}
	if _, err := a.Verify(sent, x509.ExtKeyUsageServerAuth, testNow); !errors.Is(err, ErrUnknownCA) {
		t.Error(err)
	}
	if err := a.Revoked(sent); err != nil {
		t.Error(err)
	}
	if stale := a.StaleLists(testNow); len(stale) != 0 {
		t.Error(stale)
	}
}

func BenchmarkVerify(b *testing.B) {
	root := issue(b, caTemplate("root"), nil)
	middle := issue(b, caTemplate("middle"), root)
	sent := certs{issue(b, template("edge-1"), middle).Certificate, middle.Certificate}
	for _, lists := range [][]*x509.RevocationList{nil, {longList(b, root)}} {
		a := anchors(b, certs{root.Certificate}, lists...)
		b.Run(fmt.Sprintf("%d lists", len(lists)), func(b *testing.B) {
			for b.Loop() {
				if _, err := a.Verify(sent, x509.ExtKeyUsageServerAuth, testNow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
