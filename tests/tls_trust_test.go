package tests

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// tlsVersions matter to trust: in 1.2 the peer proves its key before it sees
// its certificate accepted, in 1.3 afterwards.
var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// deviceCA is who certifies devices in a test, and the user entry that believes it.
type deviceCA struct {
	*harness.CA
	login *harness.DeviceTLS
	crl   string
}

func newDeviceCA(t *testing.T) *deviceCA {
	t.Helper()
	ca := harness.NewCA(t, "CA of the devices")
	return &deviceCA{CA: ca, login: harness.NewDeviceTLS(t, "netconf"), crl: ca.NewCRL(t)}
}

// user is a user entry that trusts the CA. More lines go into its tls block.
func (ca *deviceCA) user(name string, more ...string) string {
	return harness.TLSUserEntry(name, ca.login.Login, append(more,
		fmt.Sprintf("ca = %q", ca.Path), fmt.Sprintf("crl = [%q]", ca.crl))...)
}

// badCertificate is a case of what a device must not show.
type badCertificate struct {
	name string
	// make makes the certificate for a device of this name.
	make   func(t *testing.T, ca *deviceCA, name string) harness.Certificate
	reason callhome.Reason
	// byAddress says that the session entry tells the device by its address too.
	byAddress bool
	// unknown says that there is no session entry.
	unknown bool
}

var badCertificates = []badCertificate{
	{name: "unexpected", unknown: true, reason: callhome.RejectedWrongName,
		make: func(t *testing.T, ca *deviceCA, name string) harness.Certificate {
			return ca.Issue(t, harness.Subject{CommonName: name}) // a name that nobody expects
		}},
	{name: "unknown", unknown: true, reason: callhome.RejectedSelfSigned,
		make: func(t *testing.T, _ *deviceCA, name string) harness.Certificate {
			return harness.SelfSigned(t, harness.Subject{CommonName: name})
		}},
	{name: "self-signed", reason: callhome.RejectedSelfSigned,
		make: func(t *testing.T, _ *deviceCA, name string) harness.Certificate {
			return harness.SelfSigned(t, harness.Subject{CommonName: name})
		}},
	{name: "wrong-ca", reason: callhome.RejectedWrongCA,
		make: func(t *testing.T, _ *deviceCA, name string) harness.Certificate {
			return harness.NewCA(t, "another CA").Issue(t, harness.Subject{CommonName: name})
		}},
	{name: "ca-of-the-same-name", reason: callhome.RejectedWrongCA,
		make: func(t *testing.T, ca *deviceCA, name string) harness.Certificate {
			return harness.NewCA(t, ca.Certificate.Subject.CommonName).Issue(t, harness.Subject{CommonName: name})
		}},
	{name: "expired", reason: callhome.RejectedExpired,
		make: func(t *testing.T, ca *deviceCA, name string) harness.Certificate {
			return ca.Issue(t, harness.Subject{CommonName: name, NotAfter: time.Now().Add(-time.Hour)})
		}},
	{name: "not-yet-valid", reason: callhome.RejectedExpired,
		make: func(t *testing.T, ca *deviceCA, name string) harness.Certificate {
			return ca.Issue(t, harness.Subject{CommonName: name, NotBefore: time.Now().Add(time.Hour)})
		}},
	{name: "revoked", reason: callhome.RejectedRevoked,
		make: func(t *testing.T, ca *deviceCA, name string) harness.Certificate {
			return ca.Issue(t, harness.Subject{CommonName: name})
		}},
	{name: "wrong-name", byAddress: true, reason: callhome.RejectedWrongName,
		make: func(t *testing.T, ca *deviceCA, _ string) harness.Certificate {
			return ca.Issue(t, harness.Subject{CommonName: "somebody-else", DNS: []string{"somebody-else.example"}})
		}},
	{name: "self-signed-at-the-address", byAddress: true, reason: callhome.RejectedSelfSigned,
		make: func(t *testing.T, _ *deviceCA, _ string) harness.Certificate {
			return harness.SelfSigned(t, harness.Subject{CommonName: "somebody-else"})
		}},
	{name: "wrong-usage", reason: "rejected-",
		make: func(t *testing.T, ca *deviceCA, name string) harness.Certificate {
			return ca.Issue(t, harness.Subject{CommonName: name, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		}},
	{name: "sound", reason: callhome.Accepted,
		make: func(t *testing.T, ca *deviceCA, name string) harness.Certificate {
			return ca.Intermediate(t, "between").Issue(t, harness.Subject{CommonName: "device", DNS: []string{name}})
		}},
}

func TestABadDeviceCertificateIsRejectedForItsReasonAndSeesNoneOfOurs(t *testing.T) {
	t.Parallel()
	ca := newDeviceCA(t)
	config := harness.Config{Callhome: []string{`trust = "pinned"`, `users = ["fleet"]`, `reject_delay = "0s"`}, Blocks: []string{ca.user("fleet")}}
	var cases []*certificateCase
	var revoked []harness.Certificate
	for versionName, version := range tlsVersions {
		for _, bad := range badCertificates {
			c := newCertificateCase(t, ca, bad, version, strings.ReplaceAll(bad.name+"-"+versionName, ".", "-"))
			config.Blocks = append(config.Blocks, c.entry())
			cases = append(cases, c)
			if bad.reason == callhome.RejectedRevoked {
				revoked = append(revoked, c.certificate)
			}
		}
	}
	ca.WriteCRL(t, ca.crl, revoked...)
	g := harness.StartGateway(t, config)
	for _, c := range cases {
		t.Run(c.device, func(t *testing.T) { c.run(t, g) })
	}
	for _, d := range g.Devices(t) {
		if d.State == control.StatePending {
			t.Errorf("%s is pending, and trust is pinned", d.Identity)
		}
	}
}

// certificateCase is a device that shows such a certificate.
type certificateCase struct {
	badCertificate
	device, source string
	version        uint16
	certificate    harness.Certificate
}

func newCertificateCase(t *testing.T, ca *deviceCA, bad badCertificate, version uint16, device string) *certificateCase {
	t.Helper()
	return &certificateCase{badCertificate: bad, device: device, version: version, source: harness.Address(t), certificate: bad.make(t, ca, device)}
}

func (c *certificateCase) entry() string {
	switch {
	case c.unknown:
		return ""
	case c.byAddress:
		return harness.NamedEntry(c.device, c.device, "fleet", 0, fmt.Sprintf("address = %q", c.source))
	default:
		return harness.NamedEntry(c.device, c.device, "fleet", 0)
	}
}

func (c *certificateCase) run(t *testing.T, g *harness.Gateway) {
	s := harness.NewTLSSimulator(t, c.certificate, devicesim.Options{
		Connect: g.CallHomeTLS(), Source: netip.MustParseAddr(c.source), Reconnect: -1,
		TLS: &devicesim.TLS{AnyClient: true, MinVersion: c.version, MaxVersion: c.version},
	})
	awaitReason(t, g, c.source, c.reason)
	if sent := s.Auth.Contains("certificate"); sent != (c.reason == callhome.Accepted) {
		t.Errorf("the gateway sent its certificate: %v", sent)
	}
}

// awaitReason waits for a call from an address to end so, as the log tells.
func awaitReason(t *testing.T, g *harness.Gateway, source string, reason callhome.Reason) {
	t.Helper()
	ended := func() string {
		for _, line := range g.Output.Lines("reason=") {
			if strings.Contains(line, source+":") {
				return line
			}
		}
		return ""
	}
	harness.Eventually(t, harness.ReplyTimeout, "a call from "+source+" to end", func() bool { return ended() != "" })
	if line := ended(); !strings.Contains(line, "reason="+string(reason)) {
		t.Errorf("want %s: %s", reason, line)
	}
}

// Whoever has seen a handshake of the victim has its certificate, and not its key.
func TestAnImpostorWithTheVictimsCertificateLeavesNoTrace(t *testing.T) {
	t.Parallel()
	for _, trust := range []string{"approve", "first-use", "pinned"} {
		for versionName, version := range tlsVersions {
			t.Run(trust+" "+versionName, func(t *testing.T) {
				t.Parallel()
				ca := newDeviceCA(t)
				source := harness.Address(t)
				victim := ca.Issue(t, harness.Subject{CommonName: "edge-1"})
				stranger := harness.SelfSigned(t, harness.Subject{CommonName: "stranger"})
				revoked := ca.Issue(t, harness.Subject{CommonName: "edge-3"})
				ca.WriteCRL(t, ca.crl, revoked)
				g := harness.StartGateway(t, harness.Config{
					Callhome: []string{fmt.Sprintf("trust = %q", trust), `users = ["fleet"]`, `reject_delay = "0s"`},
					Blocks: []string{
						ca.user("fleet"), harness.PinnedEntry("edge-1", victim, "fleet", devicePort),
						harness.PinnedEntry("edge-2", ca.Issue(t, harness.Subject{CommonName: "edge-2"}), "fleet", 0, fmt.Sprintf("address = %q", source)),
						harness.NamedEntry("edge-3", "edge-3", "fleet", 0),
					},
				})
				harness.NewTLSSimulator(t, victim, devicesim.Options{Connect: g.CallHomeTLS()})
				before := g.AwaitConnected(t, "edge-1")
				manager := harness.Connect(t, g.Target(devicePort), harness.Base11)
				for _, shown := range []harness.Certificate{victim, stranger, revoked} {
					impostorCalls(t, g, shown, source, version)
				}
				answersWithin(t, manager.Session, harness.ReplyTimeout)
				leftNoTrace(t, g, before)
			})
		}
	}
}

// impostorCalls lets somebody call who shows the certificate and has another key.
func impostorCalls(t *testing.T, g *harness.Gateway, shown harness.Certificate, source string, version uint16) {
	t.Helper()
	const calls = 3
	shown.TLS.PrivateKey = harness.SelfSigned(t, harness.Subject{}).Key
	failed := make(chan error, 100*calls)
	impostor := harness.NewTLSSimulator(t, shown, devicesim.Options{
		Connect: g.CallHomeTLS(), Source: netip.MustParseAddr(source), Reconnect: 10 * time.Millisecond,
		TLS:         &devicesim.TLS{AnyClient: true, MinVersion: version, MaxVersion: version},
		OnHandshake: func(_ tls.ConnectionState, err error) { failed <- err },
	})
	for range calls {
		select {
		case err := <-failed:
			if err == nil {
				t.Fatal("the handshake succeeded")
			}
		case <-time.After(harness.ReplyTimeout):
			t.Fatal("the impostor does not call")
		}
	}
	impostor.Stop()
	if impostor.Auth.Contains("certificate") {
		t.Error("the gateway sent its certificate")
	}
}

func leftNoTrace(t *testing.T, g *harness.Gateway, before control.Device) {
	t.Helper()
	for _, d := range g.Devices(t) {
		switch {
		case d.Name == "edge-1":
			if !d.Since.Equal(before.Since) || d.LastOutcome.Reason != string(callhome.Accepted) {
				t.Errorf("the victim is now %s, last outcome %+v", describe(d), d.LastOutcome)
			}
		case d.State == control.StatePending, d.LastOutcome != nil, d.Name != "edge-2" && d.Name != "edge-3":
			t.Errorf("there is %+v", d)
		}
	}
	if failures := g.Status(t).Failures; len(failures) > 0 {
		t.Errorf("there are failures: %v", failures)
	}
	if lines := g.Output.Lines(string(callhome.RejectedKeyChanged)); len(lines) > 0 {
		t.Errorf("the log tells of a changed key: %q", lines)
	}
}

func TestATLSDeviceIsTrustedOnFirstUseAndNoOtherAfterIt(t *testing.T) {
	t.Parallel()
	login := harness.NewDeviceTLS(t, "netconf")
	source := harness.Address(t)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "first-use"`, `reject_delay = "0s"`},
		Blocks: []string{
			harness.TLSUserEntry("fleet", login.Login),
			fmt.Sprintf("session \"edge-1\" {\n  address = %q\n  user = \"fleet\"\n}\n", source),
		},
	})
	options := devicesim.Options{Connect: g.CallHomeTLS(), Source: netip.MustParseAddr(source), Reconnect: 100 * time.Millisecond}
	first := harness.NewTLSSimulator(t, login.Certificate, options)
	if d := g.AwaitConnected(t, "edge-1"); d.Transport != "tls" || d.Identity != login.Certificate.Fingerprint() {
		t.Errorf("it is connected over %s as %s, want %s", d.Transport, d.Identity, login.Certificate.Fingerprint())
	}
	first.Stop()
	g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away)
	second := harness.NewTLSSimulator(t, harness.SelfSigned(t, harness.Subject{CommonName: "device"}), options)
	awaitOutcome(t, g, callhome.RejectedKeyChanged, func(d control.Device) bool { return d.Name == "edge-1" })
	if second.Auth.Contains("certificate") {
		t.Error("the second one was sent a certificate")
	}
}

func TestADeviceMayHaveSeveralCertificatesAndKeys(t *testing.T) {
	t.Parallel()
	login := harness.NewDeviceTLS(t, "netconf")
	old, next := harness.SelfSigned(t, harness.Subject{CommonName: "old"}), harness.SelfSigned(t, harness.Subject{CommonName: "next"})
	third := harness.SelfSigned(t, harness.Subject{CommonName: "third"})
	renewed := harness.SelfSigned(t, harness.Subject{CommonName: "third, renewed", Key: third.Key})
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "pinned"`, `reject_delay = "0s"`},
		Blocks: []string{
			harness.TLSUserEntry("fleet", login.Login),
			fmt.Sprintf("session \"edge-1\" {\n  user = \"fleet\"\n  certificates = [%q, %q]\n  certificate_keys = [%q]\n}\n",
				old.Fingerprint(), next.Fingerprint(), third.KeyFingerprint()),
		},
	})
	for _, shown := range []harness.Certificate{old, next, third, renewed} {
		s := harness.NewTLSSimulator(t, shown, devicesim.Options{Connect: g.CallHomeTLS(), Reconnect: 100 * time.Millisecond})
		if d := g.AwaitConnected(t, "edge-1"); d.Identity != shown.Fingerprint() {
			t.Errorf("it is connected as %s, want %s", d.Identity, shown.Fingerprint())
		}
		s.Stop()
		g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away)
	}
}

// nameFields are where a manufacturer may write the name of a device.
var nameFields = map[string]func(name string) harness.Subject{
	"common-name":   func(name string) harness.Subject { return harness.Subject{CommonName: name} },
	"serial-number": func(name string) harness.Subject { return harness.Subject{CommonName: "router", SerialNumber: name} },
	"san-dns-name": func(name string) harness.Subject {
		return harness.Subject{CommonName: "router", DNS: []string{name + ".devices.test"}}
	},
}

func TestADeviceWithoutASessionEntryIsNamedByItsCertificate(t *testing.T) {
	t.Parallel()
	for field, subject := range nameFields {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			ca := newDeviceCA(t)
			g := harness.StartGateway(t, harness.Config{
				Callhome: []string{`trust = "pinned"`, `users = ["fleet"]`, `reject_delay = "0s"`},
				Blocks: []string{
					ca.user("fleet", fmt.Sprintf("name_from = %q", field), `name_domain = "devices.test"`),
					harness.PinnedEntry("edge-1", harness.SelfSigned(t, harness.Subject{}), "fleet", 0),
				},
			})
			call := func(c harness.Certificate) string {
				source := harness.Address(t)
				harness.NewTLSSimulator(t, c, devicesim.Options{Connect: g.CallHomeTLS(), Source: netip.MustParseAddr(source), Reconnect: -1})
				return source
			}
			call(ca.Issue(t, subject("edge-7")))
			if d := g.AwaitConnected(t, "edge-7"); d.User != "fleet" {
				t.Errorf("it is logged in as %s", d.User)
			}
			awaitReason(t, g, call(ca.Issue(t, subject("edge-1"))), callhome.RejectedKeyChanged)
			awaitReason(t, g, call(harness.SelfSigned(t, subject("edge-8"))), callhome.RejectedSelfSigned)
			awaitReason(t, g, call(harness.NewCA(t, "other").Issue(t, subject("edge-8"))), callhome.RejectedWrongCA)
			expired := subject("edge-8")
			expired.NotAfter = time.Now().Add(-time.Hour)
			awaitReason(t, g, call(ca.Issue(t, expired)), callhome.RejectedExpired)
		})
	}
}

func TestADeviceThatIsRevokedWhileItIsConnectedIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	for _, known := range []string{"by its name", "by its certificate"} {
		t.Run(known, func(t *testing.T) {
			t.Parallel()
			ca := newDeviceCA(t)
			certificate := ca.Issue(t, harness.Subject{CommonName: "edge-1"})
			entry := harness.NamedEntry("edge-1", "edge-1", "fleet", devicePort)
			if known == "by its certificate" {
				entry = harness.PinnedEntry("edge-1", certificate, "fleet", devicePort)
			}
			g := harness.StartGateway(t, harness.Config{
				Callhome: []string{`reject_delay = "10s"`}, // which is not for the revoked
				Blocks:   []string{ca.user("fleet"), entry},
			})
			harness.NewTLSSimulator(t, certificate, devicesim.Options{Connect: g.CallHomeTLS(), Reconnect: 100 * time.Millisecond})
			g.AwaitConnected(t, "edge-1")
			manager := harness.Connect(t, g.Target(devicePort), harness.Base11)
			ca.WriteCRL(t, ca.crl, certificate)
			if !manager.Ended(harness.ReplyTimeout) {
				t.Fatal("the device is still connected")
			}
			g.Output.Await(t, harness.ReplyTimeout, "reason="+string(callhome.RejectedRevoked))
			g.AwaitDevice(t, harness.ReplyTimeout, "edge-1 to be away", away)
			ca.WriteCRL(t, ca.crl) // as a hold that is taken back
			g.AwaitConnected(t, "edge-1")
		})
	}
}

func TestATLSDeviceThatRefusesOurCertificateIsAFailureOfTheUser(t *testing.T) {
	t.Parallel()
	for versionName, version := range tlsVersions {
		t.Run(versionName, func(t *testing.T) {
			t.Parallel()
			outdated, fleet := harness.NewDeviceTLS(t, "outdated"), harness.NewDeviceTLS(t, "netconf")
			g := harness.StartGateway(t, harness.Config{
				Callhome: []string{`users = ["outdated", "fleet"]`, `reject_delay = "0s"`},
				Blocks: []string{
					harness.TLSUserEntry("outdated", outdated.Login), harness.TLSUserEntry("fleet", fleet.Login),
					harness.PinnedEntry("edge-1", fleet.Certificate, "", devicePort),
				},
			})
			harness.NewTLSSimulator(t, fleet.Certificate, devicesim.Options{
				Connect: g.CallHomeTLS(), Reconnect: 100 * time.Millisecond,
				TLS: &devicesim.TLS{Clients: []string{fleet.Login.Fingerprint()}, MinVersion: version, MaxVersion: version},
			})
			if user := g.AwaitConnected(t, "edge-1").User; user != "fleet" {
				t.Errorf("logged in as %s", user)
			}
			failures := g.Status(t).Failures
			if len(failures) != 1 || failures[0].User != "outdated" || failures[0].Identity != fleet.Certificate.Fingerprint() {
				t.Errorf("the failures are %v", failures)
			}
		})
	}
}

func TestAnUnknownTLSDeviceIsUntrustedWherePinsAloneCount(t *testing.T) {
	t.Parallel()
	login := harness.NewDeviceTLS(t, "netconf")
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`trust = "pinned"`, `users = ["fleet"]`, `reject_delay = "0s"`},
		Blocks:   []string{harness.TLSUserEntry("fleet", login.Login)},
	})
	for _, version := range tlsVersions {
		c := certificateCase{
			badCertificate: badCertificate{reason: callhome.RejectedUntrusted},
			source:         harness.Address(t), version: version, certificate: login.Certificate,
		}
		c.run(t, g)
	}
}

// It would let anybody in, and tell nobody who the manager is.
func TestADeviceThatAsksForNoCertificateIsRejected(t *testing.T) {
	t.Parallel()
	login := harness.NewDeviceTLS(t, "netconf")
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`reject_delay = "0s"`},
		Blocks:   []string{harness.TLSUserEntry("fleet", login.Login), harness.PinnedEntry("edge-1", login.Certificate, "fleet", devicePort)},
	})
	for _, version := range tlsVersions {
		source := harness.Address(t)
		harness.NewTLSSimulator(t, login.Certificate, devicesim.Options{
			Connect: g.CallHomeTLS(), Source: netip.MustParseAddr(source), Reconnect: -1,
			TLS: &devicesim.TLS{NoClientCertificate: true, MinVersion: version, MaxVersion: version},
		})
		awaitReason(t, g, source, callhome.FailedLogin)
	}
}
