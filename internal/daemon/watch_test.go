package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/store"

	"github.com/hashicorp/go-hclog"
)

// watchedDaemon has a certificate and the lists of a CA in files, and nothing
// that runs.
type watchedDaemon struct {
	*daemon
	out       syncBuffer
	ca        *x509.Certificate
	key       *ecdsa.PrivateKey
	pair, crl string
	list      []*watched
	touched   int
}

func newWatchedDaemon(t *testing.T) *watchedDaemon {
	t.Helper()
	dir := t.TempDir()
	w := &watchedDaemon{pair: filepath.Join(dir, "pair.pem"), crl: filepath.Join(dir, "ca.crl")}
	w.ca, w.key = newCA(t, "CA")
	w.writePair(t)
	w.writeList(t, time.Now().Add(time.Hour))
	anchors, err := auth.NewAnchors([]*x509.Certificate{w.ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(dir, "state"), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	server, err := callhome.New(callhome.Options{Memory: s})
	if err != nil {
		t.Fatal(err)
	}
	w.daemon = &daemon{
		log:      hclog.New(&hclog.LoggerOptions{Output: &w.out}),
		callhome: server, gateway: &gateway.Gateway{},
	}
	w.inForce.Store(indexed(&config.Config{
		TLS:     config.ServerTLS{Certificate: w.pair, Key: w.pair},
		Gateway: gateway.Options{TLS: &gateway.TLSOptions{}},
		Lists:   []config.Lists{{Of: "the managers", Anchors: anchors, Files: []string{w.crl}}},
	}))
	if err := errors.Join(w.loadCertificate(w.settings().TLS), w.loadLists(&w.settings().Lists[0])); err != nil {
		t.Fatal(err)
	}
	w.list = w.watchList(w.settings().Config)
	return w
}

func (w *watchedDaemon) writePair(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := makeSelfSigned(w.pair, key, ""); err != nil {
		t.Fatal(err)
	}
	w.touch(t, w.pair)
}

// touch gives the file another time: some file systems count in seconds.
func (w *watchedDaemon) touch(t *testing.T, path string) {
	t.Helper()
	w.touched++
	at := time.Now().Add(time.Duration(w.touched) * time.Minute)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func (w *watchedDaemon) writeList(t *testing.T, next time.Time, revoked ...int64) {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: next}
	for _, serial := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, w.ca, w.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.crl, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	w.touch(t, w.crl)
}

func (w *watchedDaemon) lookAtAll() {
	for _, one := range w.list {
		w.look(one)
	}
}

func TestFilesThatChangeAreReadAgain(t *testing.T) {
	w := newWatchedDaemon(t)
	before := w.certificates.own.Load()
	w.lookAtAll()
	if w.certificates.own.Load() != before || w.out.String() != "" {
		t.Errorf("nothing has changed, and: %s", w.out.String())
	}
	w.writePair(t)
	w.writeList(t, time.Now().Add(time.Hour), 7)
	w.lookAtAll()
	if w.certificates.own.Load() == before {
		t.Error("the old certificate is still shown")
	}
	revoked := &x509.Certificate{SerialNumber: big.NewInt(7), RawIssuer: w.ca.RawSubject}
	if err := w.settings().Lists[0].Anchors.Revoked([]*x509.Certificate{revoked}); err == nil {
		t.Error("the new list is not in force")
	}
	if n := strings.Count(w.out.String(), "since the files have changed"); n != 2 {
		t.Errorf("log:\n%s", w.out.String())
	}
}

func TestWhatCannotBeReadLeavesTheOldInForce(t *testing.T) {
	w := newWatchedDaemon(t)
	before := w.certificates.own.Load()
	for _, path := range []string{w.pair, w.crl} {
		if err := os.WriteFile(path, []byte("half a fi"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.touch(t, path)
	}
	w.lookAtAll()
	if w.out.String() != "" {
		t.Errorf("somebody may be about to write the other half, and it was told:\n%s", w.out.String())
	}
	for range 3 {
		w.lookAtAll()
	}
	if w.certificates.own.Load() != before {
		t.Error("another certificate is shown")
	}
	for _, want := range []string{"the old one is still shown", "the old ones are still in force", "there is no certificate in it", "not a revocation list"} {
		if strings.Count(w.out.String(), want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, w.out.String())
		}
	}
	w.writePair(t)
	w.lookAtAll()
	if w.certificates.own.Load() == before {
		t.Error("the mended certificate is not shown")
	}
}

func TestACAThatHasNoListAnyMoreIsToldOnce(t *testing.T) {
	w := newWatchedDaemon(t)
	w.ca, w.key = newCA(t, "Other CA")
	for range 2 {
		w.writeList(t, time.Now().Add(time.Hour))
		w.lookAtAll()
	}
	if out := w.out.String(); strings.Count(out, "no revocation list any more") != 1 || !strings.Contains(out, "issuer=CN=CA ") {
		t.Errorf("log:\n%s", out)
	}
}

func TestACertificateThatHasExpiredIsToldWhenItIsRead(t *testing.T) {
	w := newWatchedDaemon(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	expired := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, expired, expired, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := os.WriteFile(w.pair, both, 0o600); err != nil {
		t.Fatal(err)
	}
	w.touch(t, w.pair)
	w.lookAtAll()
	if out := w.out.String(); strings.Count(out, "not valid now") != 1 {
		t.Errorf("log:\n%s", out)
	}
}

func TestAListThatIsOutOfDateIsToldOnceADay(t *testing.T) {
	w := newWatchedDaemon(t)
	told, now := make(map[string]time.Time), time.Now()
	w.tellStale(told, now)
	if w.out.String() != "" {
		t.Errorf("it is not out of date: %s", w.out.String())
	}
	for i, c := range []struct {
		after time.Duration
		lines int
	}{{2 * time.Hour, 1}, {20 * time.Hour, 1}, {27 * time.Hour, 2}} {
		w.tellStale(told, now.Add(c.after))
		if n := strings.Count(w.out.String(), "out of date"); n != c.lines {
			t.Errorf("%d: %d lines", i, n)
		}
	}
}
