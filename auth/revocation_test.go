package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRevocation(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	middle := issue(t, caTemplate("middle"), root)
	fake := issue(t, caTemplate("middle"), nil)
	other := issue(t, caTemplate("other"), nil)
	leaf := issue(t, template("edge-1"), middle).Certificate
	sent := certs{leaf, middle.Certificate}
	for name, c := range map[string]struct {
		cas   certs
		lists []*x509.RevocationList
		sent  certs
		// What becomes of it, validated and pinned.
		verified, pinned error
		says             string
	}{
		"nobody":                         {certs{root.Certificate}, nil, sent, nil, nil, ""},
		"empty lists":                    {certs{root.Certificate}, lists(revoke(t, root), revoke(t, middle)), sent, nil, nil, ""},
		"by the intermediate":            {certs{root.Certificate}, lists(revoke(t, middle, leaf)), sent, ErrRevoked, ErrRevoked, `"CN=edge-1" is on the list of "CN=middle" since 2025-06-01T11:00:00Z`},
		"the intermediate":               {certs{root.Certificate}, lists(revoke(t, root, middle.Certificate)), sent, ErrRevoked, ErrRevoked, `"CN=middle" is on the list of "CN=root"`},
		"by an intermediate that is":     {certs{middle.Certificate}, lists(revoke(t, middle, leaf)), sent[:1], ErrRevoked, ErrRevoked, ""},
		"the anchor":                     {certs{root.Certificate, middle.Certificate}, lists(revoke(t, root, middle.Certificate)), sent[:1], ErrRevoked, ErrRevoked, "CN=middle"},
		"the same number elsewhere":      {certs{root.Certificate}, lists(revoke(t, root, leaf), revoke(t, other, leaf)), sent, nil, nil, ""},
		"by a fake intermediate":         {certs{root.Certificate}, lists(revoke(t, fake, leaf)), sent, nil, nil, ""},
		"fake and real":                  {certs{root.Certificate}, lists(revoke(t, fake), revoke(t, middle, leaf)), sent, ErrRevoked, ErrRevoked, ""},
		"nobody knows who signed":        {certs{root.Certificate}, lists(revoke(t, middle, leaf)), sent[:1], ErrUnknownCA, nil, ""},
		"pinned, sent with strangers":    {certs{other.Certificate}, lists(revoke(t, middle, leaf)), certs{leaf, other.Certificate, middle.Certificate}, ErrUnknownCA, ErrRevoked, ""},
		"two lists, the other one":       {certs{root.Certificate}, lists(revoke(t, middle, leaf), revoke(t, middle)), sent, ErrRevoked, ErrRevoked, ""},
		"more certificates than allowed": {certs{root.Certificate}, lists(revoke(t, middle, leaf)), append(certs{leaf, middle.Certificate}, slices.Repeat(certs{other.Certificate}, maxSent)...), ErrCertificate, ErrRevoked, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := anchors(t, c.cas, c.lists...)
			_, err := a.Verify(c.sent, x509.ExtKeyUsageServerAuth, testNow)
			if !errors.Is(err, c.verified) {
				t.Errorf("validated: %v, want %v", err, c.verified)
			}
			err = a.Revoked(c.sent)
			if !errors.Is(err, c.pinned) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("pinned: %v, want %v", err, c.pinned)
			}
		})
	}
}

func lists(l ...*x509.RevocationList) []*x509.RevocationList { return l }

// Who is revoked and expired is told to be revoked: it is not let in later.
func TestRevokedBeforeExpired(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	leaf := issue(t, template("edge-1"), root).Certificate
	_, err := anchors(t, certs{root.Certificate}, revoke(t, root, leaf)).Verify(certs{leaf}, x509.ExtKeyUsageServerAuth, testNow.AddDate(1, 0, 0))
	if !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

// A CA that got a new key goes on with its list.
func TestListOfACAThatChangedItsKey(t *testing.T) {
	before, after := issue(t, caTemplate("root"), nil), issue(t, caTemplate("root"), nil)
	leaf := issue(t, template("edge-1"), before).Certificate
	a := anchors(t, certs{before.Certificate, after.Certificate}, revoke(t, after, leaf))
	if _, err := a.Verify(certs{leaf}, x509.ExtKeyUsageServerAuth, testNow); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

func TestSetLists(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	impostor := issue(t, caTemplate("root"), nil)
	leaf := issue(t, template("edge-1"), root).Certificate
	a := anchors(t, certs{root.Certificate})
	if err := a.Revoked(certs{leaf}); err != nil {
		t.Fatal(err)
	}
	if err := a.SetLists(lists(revoke(t, root, leaf))); err != nil {
		t.Fatal(err)
	}
	if err := a.SetLists(lists(revoke(t, root), revoke(t, impostor))); err == nil {
		t.Error("a forged list was taken")
	}
	if err := a.Revoked(certs{leaf}); !errors.Is(err, ErrRevoked) {
		t.Errorf("after lists that were refused: %v", err)
	}
	if err := a.SetLists(nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Revoked(certs{leaf}); err != nil {
		t.Errorf("without lists: %v", err)
	}
}

// For the race detector.
func TestSetListsWhileVerifying(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	sent := certs{issue(t, template("edge-1"), root).Certificate}
	a := anchors(t, certs{root.Certificate})
	list := revoke(t, root, sent[0])
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				a.SetLists(lists(list))
				a.Verify(sent, x509.ExtKeyUsageServerAuth, testNow)
				a.Revoked(sent)
				a.StaleLists(testNow)
				a.SetLists(nil)
			}
		})
	}
	all.Wait()
}

func TestStaleListsStillRevoke(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	middle := issue(t, caTemplate("middle"), root)
	leaf := issue(t, template("edge-1"), root).Certificate
	old := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: testNow.AddDate(0, -2, 0), NextUpdate: testNow.AddDate(0, -1, 0),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.SerialNumber, RevocationTime: testNow}},
	}
	older := *old
	older.NextUpdate = testNow.AddDate(0, -1, -1)
	a := anchors(t, certs{root.Certificate}, signList(t, old, root), revoke(t, root), signList(t, &older, middle))
	if err := a.Revoked(certs{leaf}); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	stale := a.StaleLists(testNow)
	if len(stale) != 2 || stale[0].Issuer != "CN=middle" || stale[1].Issuer != "CN=root" || !stale[1].NextUpdate.Equal(old.NextUpdate) {
		t.Errorf("stale: %v", stale)
	}
}

// A delta list takes back what the base list says; we wait for the next base list.
func TestRemoveFromCRLRevokesNobody(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	leaf := issue(t, template("edge-1"), root).Certificate
	delta := signList(t, &x509.RevocationList{
		Number: big.NewInt(2), ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: leaf.SerialNumber, RevocationTime: testNow, ReasonCode: removeFromCRL}},
	}, root)
	if err := anchors(t, certs{root.Certificate}, delta).Revoked(certs{leaf}); err != nil {
		t.Error(err)
	}
	if err := anchors(t, certs{root.Certificate}, delta, revoke(t, root, leaf)).Revoked(certs{leaf}); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

func TestIndirectListsAreRefused(t *testing.T) {
	root := issue(t, caTemplate("root"), nil)
	list := signList(t, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{
			SerialNumber: big.NewInt(1), RevocationTime: testNow,
			ExtraExtensions: []pkix.Extension{{Id: oidCertificateIssuer, Critical: true, Value: asn1.NullBytes}},
		}},
	}, root)
	if _, err := NewAnchors(certs{root.Certificate}, lists(list)); err == nil || !strings.Contains(err.Error(), "entries of other issuers") {
		t.Error(err)
	}
}

// longList revokes a hundred thousand certificates.
func longList(t testing.TB, by *issuer) *x509.RevocationList {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: testNow, NextUpdate: testNow.Add(time.Hour)}
	for i := range int64(100_000) {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(1<<60 + i), RevocationTime: testNow})
	}
	return signList(t, list, by)
}

func BenchmarkRevoked(b *testing.B) {
	root := issue(b, caTemplate("root"), nil)
	a := anchors(b, certs{root.Certificate}, longList(b, root))
	sent := certs{issue(b, template("edge-1"), root).Certificate}
	for b.Loop() {
		if a.Revoked(sent) != nil {
			b.Fatal("revoked")
		}
	}
}
