package tests

import (
	"strings"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/tests/harness"
)

// An OpenSSH server that was told to be twenty years old: ssh-rsa,
// diffie-hellman-group14-sha1, hmac-sha1.
func TestAnOldDeviceIsRefusedUntilItsAlgorithmsAreAllowed(t *testing.T) {
	t.Parallel()
	const allow = "legacy_algorithms = true"
	device := &harness.NewNetconfd(t, harness.NetconfdOptions{Legacy: true}).Device

	t.Run("refused by default", func(t *testing.T) {
		t.Parallel()
		g := harness.StartGateway(t, harness.Config{
			Callhome: []string{`reject_delay = "0s"`},
			Blocks:   []string{device.UserEntry("fleet"), device.SessionEntry("edge-1", "fleet", devicePort)},
		})
		device.CallHome(t, g.Address)
		refusal := "reason=" + string(callhome.FailedHandshake)
		g.Output.Await(t, harness.ReplyTimeout, refusal)
		for _, want := range []string{"legacy_algorithms", "diffie-hellman-group14-sha1"} {
			if line := g.Output.Lines(refusal)[0]; !strings.Contains(line, want) {
				t.Errorf("it does not tell %s: %s", want, line)
			}
		}
	})
	t.Run("allowed on its session", func(t *testing.T) {
		t.Parallel()
		newLab(t, device, harness.Config{}, allow).mustServe(t)
	})
	t.Run("allowed on its user", func(t *testing.T) {
		t.Parallel()
		g := harness.StartGateway(t, harness.Config{Blocks: []string{
			strings.Replace(device.UserEntry("fleet"), "}\n", "  "+allow+"\n}\n", 1), device.SessionEntry("edge-1", "fleet", devicePort),
		}})
		device.CallHome(t, g.Address)
		g.AwaitConnected(t, "edge-1")
		l := &lab{Gateway: g, device: device}
		l.mustServe(t)
		for _, want := range []string{"diffie-hellman-group14-sha1", "ssh-rsa", "hmac-sha1"} {
			if stdout, stderr, _ := g.Run(t, "device", "show", "edge-1"); !strings.Contains(stdout, want) {
				t.Errorf("device show does not tell %s: %s%s", want, stdout, stderr)
			}
		}
	})
}
