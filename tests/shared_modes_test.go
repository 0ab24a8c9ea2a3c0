package tests

import (
	"fmt"
	"testing"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// TestTheModeDecidesWhoseSessionItIs: with sessions of their own managers have
// the device's session-ids.
func TestTheModeDecidesWhoseSessionItIs(t *testing.T) {
	t.Parallel()
	const ownIDs = 1000 // a simulator that was just started has given out fewer
	for mode, own := range map[string]bool{"auto": true, "own": true, "shared": false, "exclusive": false} {
		for _, place := range []string{"session", "callhome"} {
			t.Run(place+" "+mode, func(t *testing.T) {
				t.Parallel()
				line := fmt.Sprintf("sessions = %q", mode)
				var c harness.Config
				var entry []string
				if place == "callhome" {
					c.Callhome = []string{line}
				} else {
					entry = []string{line}
				}
				g, s := simulatorLab(t, c, devicesim.Options{}, entry...)
				m := harness.Connect(t, g.Target(devicePort), harness.Base11)
				if (m.ID < ownIDs) != own {
					t.Errorf("session-id %d", m.ID)
				}
				if sessions := s.Sessions(); (sessions == 2) != own {
					t.Errorf("the device has %d sessions", sessions)
				}
			})
		}
	}
}

func TestAnExclusiveDeviceTakesOneManagerAfterTheOther(t *testing.T) {
	t.Parallel()
	for _, device := range sharedKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			d := device.make(t)
			d.Entry = []string{`sessions = "exclusive"`}
			l := newLab(t, d, harness.Config{})
			first := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
			l.follow(t, []step{{first, lockOf(d.Target), "ok"}, {first, l.edit(d.Target, "of the first"), "ok"}})
			refused, err := harness.OpenSubsystem(harness.Dial(t, l.edge1()))
			if err == nil {
				err = refused.Open(harness.ReplyTimeout, harness.Base11)
			}
			if err == nil {
				t.Error("a second manager came in")
			}
			if refused != nil {
				t.Logf("the second manager is told: %s", refused.Stderr)
				if status, err := refused.ExitStatus(); err != nil || status == 0 || refused.Stderr.String() == "" {
					t.Errorf("exit status %d, %v, and it was told %q", status, err, refused.Stderr)
				}
			}
			if s, err := harness.TryConnectTLS(l.edge1TLS(), harness.Base11); err == nil {
				s.Close()
				t.Error("a second manager came in over TLS")
			}
			answersWithin(t, first, harness.ReplyTimeout)
			first.Close()
			harness.Eventually(t, harness.ReplyTimeout, "the next manager to come in", func() bool {
				s, err := harness.TryConnectTLS(l.edge1TLS(), harness.Base11)
				if err != nil {
					return false
				}
				defer s.Close()
				return answer(t, s, lockOf(d.Target)) == "ok"
			})
			l.mustBeTheSameLink(t)
		})
	}
}
