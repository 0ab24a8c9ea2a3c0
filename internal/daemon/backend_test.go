package daemon

import (
	"errors"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"

	"github.com/hashicorp/go-hclog"
)

// configure puts a configuration with these session entries in force.
func (b backend) configure(entries []callhome.Entry) {
	b.inForce.Store(indexed(&config.Config{Callhome: config.Callhome{Options: callhome.Options{Entries: entries}}}))
}

func TestADeviceIsShownWithTheIdentityThatItHas(t *testing.T) {
	s, err := store.Open(t.TempDir(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	approved := auth.Identity{Type: "ssh-ed25519", Fingerprint: "SHA256:approved"}
	for _, name := range []string{"edge-1", "edge-2"} {
		approved.Fingerprint += name
		if err := s.Pin(auth.Device{Name: name, Identity: approved}); err != nil {
			t.Fatal(err)
		}
	}
	keyPin := auth.Identity{Type: auth.TypeCertificateKey, Fingerprint: "SHA256:AA"}
	certificate := auth.Identity{Type: auth.TypeCertificate, Fingerprint: "SHA256:BB"}
	b := backend{&daemon{store: s, events: newEvents()}}
	b.configure([]callhome.Entry{
		{Name: "edge-1", Pins: []auth.Identity{{Fingerprint: "SHA256:old"}, {Fingerprint: "SHA256:new"}}},
		{Name: "edge-4", CertificateNames: []string{"edge-4.example"}},
		{Name: "edge-5", Pins: []auth.Identity{keyPin}},
		{Name: "edge-7", HostPrincipals: []string{"edge-7.example"}},
		{Name: "edge-8", DeviceID: "edge-8", DeviceSecret: "secret"},
		{Name: "edge-9", DeviceID: "edge-9"},
	})
	rolledOver := auth.Identity{Type: "ssh-rsa", Fingerprint: "SHA256:new"}
	replaced := auth.Identity{Type: "ssh-rsa", Fingerprint: "SHA256:replaced"}
	for name, c := range map[string]struct {
		device string
		last   callhome.Outcome
		want   auth.Identity
	}{
		"never called":                            {"edge-1", callhome.Outcome{}, auth.Identity{Fingerprint: "SHA256:old"}},
		"let in with the second pin":              {"edge-1", callhome.Outcome{Reason: callhome.Accepted, Identity: rolledOver}, rolledOver},
		"not let in":                              {"edge-1", callhome.Outcome{Reason: callhome.FailedLogin, Identity: rolledOver}, auth.Identity{Fingerprint: "SHA256:old"}},
		"let in, and replaced since":              {"edge-2", callhome.Outcome{Reason: callhome.Accepted, Identity: replaced}, approved},
		"known by a name in its certificate":      {"edge-4", callhome.Outcome{Reason: callhome.Accepted, Identity: certificate}, certificate},
		"not let in with a name":                  {"edge-4", callhome.Outcome{Reason: callhome.RejectedExpired, Identity: certificate}, auth.Identity{}},
		"known by the key of its certificate":     {"edge-5", callhome.Outcome{Reason: callhome.Accepted, Identity: certificate}, certificate},
		"not let in with the key":                 {"edge-5", callhome.Outcome{Reason: callhome.RejectedRevoked, Identity: certificate}, keyPin},
		"named by a CA":                           {"edge-6", callhome.Outcome{Reason: callhome.Accepted, Identity: certificate}, certificate},
		"approved since, and let in with another": {"edge-2", callhome.Outcome{Reason: callhome.Accepted, Identity: certificate}, approved},
		"known by a name over SSH":                {"edge-7", callhome.Outcome{Reason: callhome.Accepted, Identity: replaced}, replaced},
		"known by a secret":                       {"edge-8", callhome.Outcome{Reason: callhome.Accepted, Identity: replaced}, replaced},
		"known by its claim, if at all":           {"edge-9", callhome.Outcome{Reason: callhome.Accepted, Identity: replaced}, auth.Identity{}},
		"known by its address, if at all":         {"edge-3", callhome.Outcome{Reason: callhome.Accepted, Identity: replaced}, auth.Identity{}},
	} {
		if got := b.identity(c.device, c.last); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestASessionThatACANamedIsForgotten(t *testing.T) {
	s, err := store.Open(t.TempDir(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	calls, err := callhome.New(callhome.Options{Memory: s})
	if err != nil {
		t.Fatal(err)
	}
	b := backend{&daemon{store: s, events: newEvents(), callhome: calls, log: hclog.NewNullLogger()}}
	b.configure([]callhome.Entry{{Name: "edge-1"}, {Name: "edge-2"}})
	s.NoteVoucher("edge-1", auth.Identity{Type: auth.TypeCertificateKey, Fingerprint: "SHA256:AA"})
	if err := b.Forget(t.Context(), "edge-1"); err != nil || !s.Voucher("edge-1").IsZero() {
		t.Errorf("%v, its CA is %s", err, s.Voucher("edge-1"))
	}
	if err := b.Forget(t.Context(), "edge-2"); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("one of which nothing is remembered: %v", err)
	}
}
