package tests

import (
	"fmt"
	"strings"
	"testing"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"

	"golang.org/x/crypto/ssh"
)

func TestManyRPCsInOneWriteAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		for _, base := range []string{harness.Base10, harness.Base11} {
			t.Run(device.name+" "+base, func(t *testing.T) {
				t.Parallel()
				const many = 100
				s := newLab(t, device.make(t), harness.Config{}).connect(t, base)
				var all strings.Builder
				for i := range many {
					all.WriteString(s.Frame(harness.RPC(fmt.Sprint(i), soundOperation)))
				}
				if err := s.SendRaw(all.String()); err != nil {
					t.Fatal(err)
				}
				for i := range many {
					if reply, err := s.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, fmt.Sprintf(`message-id="%d"`, i)) {
						t.Fatalf("reply %d: %v: %.300s", i, err, reply)
					}
				}
			})
		}
	}
}

// A script that pipes its requests into ssh ends its input before it has read
// the replies.
func TestRequestsBeforeTheEndOfInputAreAnswered(t *testing.T) {
	t.Parallel()
	harness.Need(t, "ssh")
	g, _ := simulatorLab(t, harness.Config{}, devicesim.Options{})
	cmd := harness.OpenSSH(t, g.KeyTarget(devicePort), "-s", "netconf")
	cmd.Stdin = strings.NewReader(harness.Hello(harness.Base10) + harness.EndOfMessage +
		harness.RPC("1", soundOperation) + harness.EndOfMessage + harness.RPC("2", "<close-session/>") + harness.EndOfMessage)
	p := harness.Start(t, "ssh", cmd)
	waitFor(t, p)
	for _, id := range []string{"1", "2"} {
		if !p.Output.Contains(`message-id="` + id + `"`) {
			t.Errorf("request %s was not answered: %s", id, p.Output)
		}
	}
	if p.ExitCode() != 0 {
		t.Errorf("status %d", p.ExitCode())
	}
}

func TestALargeRequestArrivesWhole(t *testing.T) {
	t.Parallel()
	const size = 3 << 20 // more than is held in memory, and less than netconfd denies
	for _, device := range allKinds() {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			for _, base := range []string{harness.Base10, harness.Base11} {
				s := l.connect(t, base)
				if err := s.EditConfig(l.device.Target, l.device.Edit(strings.Repeat("x", size))); err != nil {
					t.Fatal(err)
				}
				if reply, err := s.GetConfig(l.device.Target); err != nil || strings.Count(reply, "x") < size {
					t.Fatalf("%d bytes came back: %v", len(reply), err)
				}
				if err := s.CloseSession(); err != nil { // which discards what it has not committed
					t.Fatal(err)
				}
			}
		})
	}
}

// OpenSSH refuses channels beyond MaxSessions, the control session counted,
// and the connection lives on.
func TestAManagerBeyondTheDevicesSessionLimitIsToldSo(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 3} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			d := harness.NewNetconfd(t, harness.NetconfdOptions{MaxSessions: limit})
			l := newLab(t, &d.Device, harness.Config{}, `sessions = "own"`)
			client := harness.Dial(t, l.edge1())
			var open []*harness.Subsystem
			for range limit - 1 {
				open = append(open, harness.OpenSession(t, client, harness.Base11))
			}
			isToldOfTheLimit(t, client)
			l.mustBeTheSameLink(t)
			if len(open) == 0 {
				return
			}
			if err := open[0].CloseSession(); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, harness.ReplyTimeout, "a free session", func() bool {
				s, err := harness.OpenSubsystem(client)
				return err == nil && s.Open(harness.ReplyTimeout, harness.Base11) == nil
			})
		})
	}
}

func isToldOfTheLimit(t *testing.T, client *ssh.Client) {
	t.Helper()
	s, err := harness.OpenSubsystem(client)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(harness.ReplyTimeout, harness.Base11); err == nil {
		t.Error("there was one more session than the device allows")
	}
	if status, err := s.ExitStatus(); err != nil || status == 0 || s.Stderr.String() == "" {
		t.Errorf("exit status %d, %v, and it was told %q", status, err, s.Stderr)
	}
	t.Logf("it was told: %s", s.Stderr)
}
