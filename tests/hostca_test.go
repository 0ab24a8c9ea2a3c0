package tests

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"

	"golang.org/x/crypto/ssh"
)

// Nothing is known of these devices but the CA that certifies their host keys.
func TestDevicesAreNamedByTheirHostCertificates(t *testing.T) {
	t.Parallel()
	const size = 20
	ca := harness.NewKey(t)
	fleet := harness.NewFleet(t, "olt", size)
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{`users = ["fleet"]`, `trust = "pinned"`},
		Blocks:   []string{hostCAUser(ca), harness.PrincipalEntry("core", fleet.Device(0)+".example.net", "fleet", devicePort)},
	})
	fleet.CallHome(t, g.CallHome(), "--source", harness.Address(t), "--host-ca", ca.Path, "--host-domain", "example.net")
	g.AwaitConnectedCount(t, size)
	for i, key := range fleet.Keys {
		name := fleet.Device(i)
		if i == 0 {
			name = "core" // which the entry expects
		}
		d := g.Device(t, name)
		if d.State != control.StateConnected || d.Identity != key.Fingerprint() {
			t.Errorf("%s is %+v, want the key %s", name, d, key.Fingerprint())
			continue
		}
		mustAnswerAs(t, g, int(d.Port), fleet.Device(i))
	}
	if port := g.Device(t, "core").Port; port != devicePort {
		t.Errorf("the device with an entry has port %d", port)
	}
}

func TestAHostCertificateThatIsNotRightIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	ca, other := harness.NewKey(t), harness.NewKey(t)
	never, yesterday := time.Time{}, time.Now().Add(-24*time.Hour)
	for _, test := range []struct {
		name      string
		ca        harness.Key
		expires   time.Time
		principal string
		want      callhome.Reason
	}{
		{"expired", ca, yesterday, "core.example.net", callhome.RejectedExpired},
		{"another CA", other, never, "core.example.net", callhome.RejectedWrongCA},
		{"another principal", ca, never, "edge.example.net", callhome.RejectedWrongName},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := harness.Address(t)
			g := harness.StartGateway(t, harness.Config{
				Callhome: []string{`users = ["fleet"]`, `reject_delay = "0s"`},
				Blocks:   []string{hostCAUser(ca), harness.PrincipalEntry("core", "core.example.net", "fleet", 0, fmt.Sprintf("address = %q", address))},
			})
			key := harness.NewKey(t)
			certified, err := devicesim.CertifyHost(key.Signer, test.ca.Signer, test.expires, test.principal)
			if err != nil {
				t.Fatal(err)
			}
			s := harness.NewSimulator(t, key, devicesim.Options{
				Connect: g.CallHome(), Source: netip.MustParseAddr(address), Reconnect: 100 * time.Millisecond, HostKeys: []ssh.Signer{certified},
			})
			awaitRefusal(t, g, test.want, key, "")
			if asked := s.Auth.String(); asked != "" {
				t.Errorf("it was asked to log in: %s", asked)
			}
		})
	}
}

// hostCAUser is the user entry fleet, with a CA that names devices.
func hostCAUser(ca harness.Key) string {
	return fmt.Sprintf("user \"fleet\" {\n  username = %q\n  password = %q\n  host_ca {\n    keys = [%q]\n    name_from = \"principal\"\n    name_domain = \"example.net\"\n  }\n}\n",
		harness.SimulatorName, harness.Password, ca.AuthorizedKey())
}
