package tests

import (
	"fmt"
	"strings"
	"testing"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// TestADeviceThatAnswersWrongLosesItsLink: where it is unclear which reply is
// whose, none may reach a manager, and only a fresh session makes it clear.
func TestADeviceThatAnswersWrongLosesItsLink(t *testing.T) {
	t.Parallel()
	for flaw, reason := range map[devicesim.Flaw]string{
		devicesim.FlawTwice:       "repl", // to nobody, or to the next request
		devicesim.FlawWrongID:     "with a reply to",
		devicesim.FlawUnsolicited: "with a reply to",
		devicesim.FlawClosed:      "the device closed the connection",
	} {
		t.Run(string(flaw), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, harness.NewSimulatedDevice(t, devicesim.Options{Heartbeat: -1}), harness.Config{})
			a, b := l.pair(t)
			answersWithin(t, b, harness.ReplyTimeout)
			_, _ = a.RPC(harness.ReplyTimeout, flawed(flaw))
			if _, err := b.RPC(harness.ReplyTimeout, read("running")); err == nil {
				t.Error("another manager's session outlived the link")
			}
			harness.Eventually(t, harness.ReplyTimeout, "the log to say "+reason, func() bool {
				return strings.Contains(l.Output.String(), reason)
			})
			l.AwaitDevice(t, harness.ReplyTimeout, "the device to call again", func(d control.Device) bool {
				return d.State == control.StateConnected && !d.Since.Equal(l.link.Since)
			})
			l.mustServe(t)
		})
	}
}

// A reply without a message-id is one to what was asked last.
func TestAReplyWithoutAMessageIDIsTheLastRequests(t *testing.T) {
	t.Parallel()
	l := newLab(t, harness.NewSimulatedDevice(t, devicesim.Options{Heartbeat: -1}), harness.Config{})
	a, b := l.pair(t)
	// The error is about the message-id.
	if got, _ := a.RPC(harness.ReplyTimeout, flawed(devicesim.FlawNoID)); !strings.Contains(got, "<ok/>") {
		t.Errorf("got %s", got)
	}
	answersWithin(t, a, harness.ReplyTimeout)
	answersWithin(t, b, harness.ReplyTimeout)
	l.mustBeTheSameLink(t)
}

// An answer that cannot be read is still one to what was asked last.
func TestAnUnreadableAnswerIsAnErrorToWhoeverAsked(t *testing.T) {
	t.Parallel()
	l := newLab(t, harness.NewSimulatedDevice(t, devicesim.Options{Heartbeat: -1}), harness.Config{})
	a, b := l.pair(t)
	for _, flaw := range []devicesim.Flaw{devicesim.FlawOtherRoot, devicesim.FlawHugeTag} {
		if got := answer(t, a, flawed(flaw)); got != "operation-failed" {
			t.Errorf("%s was answered with %s", flaw, got)
		}
		answersWithin(t, a, harness.ReplyTimeout)
		answersWithin(t, b, harness.ReplyTimeout)
	}
	l.mustBeTheSameLink(t)
}

// TestAnAttributeThatNetconfdDoesNotKnowDisturbsNobodyElse: netconfd's reply to
// it declares a prefix twice.
func TestAnAttributeThatNetconfdDoesNotKnowDisturbsNobodyElse(t *testing.T) {
	t.Parallel()
	l := newLab(t, sharedKinds()[0].make(t), harness.Config{})
	a, b := l.pair(t)
	request := fmt.Sprintf(`<rpc xmlns=%q message-id="z1" xmlns:z="urn:z" z:a="1">%s</rpc>`, harness.BaseNamespace, read("running"))
	if err := a.Send(request); err != nil {
		t.Fatal(err)
	}
	if reply, err := a.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, "operation-failed") {
		t.Errorf("got %s, %v", reply, err)
	}
	answersWithin(t, b, harness.ReplyTimeout)
	answersWithin(t, a, harness.ReplyTimeout)
	l.mustBeTheSameLink(t)
}

func flawed(f devicesim.Flaw) string {
	return fmt.Sprintf(`<flawed xmlns=%q><flaw>%s</flaw></flawed>`, devicesim.NamespaceSim, f)
}
