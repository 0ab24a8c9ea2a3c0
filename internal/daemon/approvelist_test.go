package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/store"

	"golang.org/x/crypto/ssh"
)

// listed approves the device of each line before the gateway starts.
func listed(t *testing.T, c *config.Config, lines ...string) {
	t.Helper()
	s, err := store.Open(c.StateDir, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := store.ReadApprovals(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ApproveAll(list); err != nil {
		t.Fatal(err)
	}
}

func TestADeviceThatWasApprovedBeforeItCalledIsLetInAtOnce(t *testing.T) {
	key := seededKey(t, "device")
	certificate, err := devicesim.GenerateCertificate("device", nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	overSSH := devicesim.Options{HostKeys: []ssh.Signer{key}, Username: "netconf", Password: "secret"}
	overTLS := devicesim.Options{TLS: &devicesim.TLS{Certificate: certificate, AnyClient: true}}
	at := &callhome.Entry{Name: "edge-1", Address: netip.MustParsePrefix("127.0.0.1/32")}
	for name, test := range map[string]struct {
		proof  string
		entry  *callhome.Entry
		device devicesim.Options
	}{
		"by the fingerprint of its host key":        {ssh.FingerprintSHA256(key.PublicKey()), nil, overSSH},
		"by that, and known by its address":         {ssh.FingerprintSHA256(key.PublicKey()), at, overSSH},
		"by its host key":                           {strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey()))), at, overSSH},
		"by the fingerprint of its certificate":     {auth.CertificateIdentity(leaf).Fingerprint, nil, overTLS},
		"by that, and known by its address as well": {auth.CertificateIdentity(leaf).Fingerprint, at, overTLS},
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(t)
			withTLS(t, c)
			if test.entry != nil {
				c.Callhome.Entries = []callhome.Entry{*test.entry}
			}
			listed(t, c, fmt.Sprintf("%s edge-1 fleet", test.proof))
			h := startDaemon(t, c)
			if away := h.await(t, control.StateAway); away.Name != "edge-1" {
				t.Errorf("before it calls: %+v", away)
			}
			var calls atomic.Int32
			o := test.device
			if o.Connect = h.Callhome; o.TLS != nil {
				o.Connect = h.CallhomeTLS
			}
			o.OnConnect = func(net.Conn) { calls.Add(1) }
			runDevice(t, o)
			if up := h.await(t, control.StateConnected); up.Name != "edge-1" || up.User != "fleet" || up.KeyType == "" || calls.Load() != 1 {
				t.Errorf("after %d calls %+v", calls.Load(), up)
			}
		})
	}
}

// A fingerprint does not tell the type of its key, and the device shows another
// first: it is asked for the next type at each call.
func TestTheTypeOfAFingerprintIsFoundOut(t *testing.T) {
	c := testConfig(t)
	c.Callhome.Entries = []callhome.Entry{{Name: "edge-1", Address: netip.MustParsePrefix("127.0.0.1/32")}}
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	listedKey, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	listed(t, c, ssh.FingerprintSHA256(listedKey.PublicKey())+" edge-1")
	h := startDaemon(t, c)
	runDevice(t, devicesim.Options{Connect: h.Callhome, HostKeys: []ssh.Signer{seededKey(t, "device"), listedKey}, Username: "netconf", Password: "secret"})
	if up := h.await(t, control.StateConnected); up.Name != "edge-1" || up.KeyType != listedKey.PublicKey().Type() {
		t.Errorf("%+v", up)
	}
}

// TestAListIsKnownAtOnce: the ports come later, but nobody is told that there is
// no such device.
func TestAListIsKnownAtOnce(t *testing.T) {
	r := startReloading(t, testConfig(t), nil)
	var list strings.Builder
	for i := range 100 {
		fmt.Fprintf(&list, "%s edge-%d\n", "SHA256:"+base64.RawStdEncoding.EncodeToString(fmt.Appendf(nil, "%032d", i)), i)
	}
	if _, err := (backend{r.daemon}).ApproveList(t.Context(), list.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := (backend{r.daemon}).Rename(t.Context(), control.RenameRequest{Device: "edge-99", Name: "edge-100"}); err != nil {
		t.Error(err)
	}
	if known := len(r.daemon.gateway.Devices()); known != 100 {
		t.Errorf("%d devices are known", known)
	}
	r.awaitThat(t, "edge-100 with a port", func(d control.Device) bool { return d.Name == "edge-100" && d.Port != 0 })
}
