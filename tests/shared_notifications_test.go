package tests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// subscription is a create-subscription with these elements in it.
func subscription(inside string) string {
	return `<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0">` + inside + `</create-subscription>`
}

// happen makes an event of this name happen on the simulator.
func happen(name string) string {
	return fmt.Sprintf(`<notify xmlns="%s"><event><%s xmlns="urn:test"/></event></notify>`, devicesim.NamespaceSim, name)
}

// notified fails the test unless the next notification is of the event.
func notified(t *testing.T, s *harness.Session, event string) {
	t.Helper()
	if n, err := s.NotificationWithin(harness.ReplyTimeout); err != nil || !strings.Contains(n, event) {
		t.Errorf("waiting for %s: %v: %.300s", event, err, n)
	}
}

// notNotified fails the test if notifications came before the reply to a request.
func notNotified(t *testing.T, s *harness.Session) {
	t.Helper()
	answersWithin(t, s, harness.ReplyTimeout)
	if len(s.Notifications) > 0 {
		t.Errorf("it was told %q", s.Notifications)
	}
}

func notifyingLab(t *testing.T, session ...string) *lab {
	t.Helper()
	features := everyFeature
	features.Streams = []string{"alarms"}
	return tlsSimulatorLab(t, harness.Config{}, devicesim.Options{Features: features, Heartbeat: -1}, session...)
}

func TestNotificationsReachTheSubscribersAndNobodyElse(t *testing.T) {
	t.Parallel()
	l := notifyingLab(t)
	first, other := l.pair(t)
	second := harness.ConnectTLS(t, l.edge1TLS(), harness.Base10)
	l.follow(t, []step{
		{first, subscription(""), "ok"},
		{other, happen("one"), "ok"},
	})
	notified(t, first, "one") // or the next one to subscribe may get it too
	l.follow(t, []step{
		{second, subscription("<stream>NETCONF</stream>"), "ok"}, // the same as none
		{other, happen("two"), "ok"},
		{first, subscription(""), "in-use"},
	})
	notified(t, first, "two")
	notified(t, second, "two")
	notNotified(t, other)
	// the one that goes on
	l.follow(t, []step{{first, "<close-session/>", "ok"}, {other, happen("three"), "ok"}})
	notified(t, second, "three")
	notNotified(t, other)
	second.Close()
	// with nobody left events are drained, and whoever subscribes gets new ones only
	l.follow(t, []step{{other, happen("four"), "ok"}})
	notNotified(t, other) // nor is it on its way any more: the device sends in order
	l.follow(t, []step{{other, subscription(""), "ok"}, {other, happen("five"), "ok"}})
	notified(t, other, "five")
}

func TestRealDevicesNotifyTheirSubscribersOnly(t *testing.T) {
	t.Parallel()
	for _, device := range sharedKinds() {
		if strings.Contains(device.name, "netconfd") {
			continue // it notifies of what happens, and here nothing does
		}
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			subscriber, other := l.pair(t)
			l.follow(t, []step{{subscriber, subscription(""), "ok"}})
			for range 3 {
				notified(t, subscriber, "eventTime")
				answersWithin(t, subscriber, harness.ReplyTimeout)
			}
			notNotified(t, other)
		})
	}
}

func TestASubscriptionIsSharedOnlyWhereItIsTheSame(t *testing.T) {
	t.Parallel()
	const filtered = `<stream>alarms</stream><filter type="subtree"><alarm xmlns="urn:test"/></filter>`
	past := fmt.Sprintf("<startTime>%s</startTime>", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	for name, second := range map[string]string{
		"another stream": "",
		"another filter": `<stream>alarms</stream><filter type="subtree"><fault xmlns="urn:test"/></filter>`,
		"no filter":      "<stream>alarms</stream>",
		"a replay":       filtered + past,
		"a time to stop": filtered + past + "<stopTime>2099-01-01T00:00:00Z</stopTime>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := notifyingLab(t)
			a, b := l.pair(t)
			l.follow(t, []step{{a, subscription(filtered), "ok"}})
			if tag := answer(t, b, subscription(second)); tag == "ok" || tag == "data" {
				t.Errorf("it was answered with %s", tag)
			}
			answersWithin(t, a, harness.ReplyTimeout)
			l.mustBeTheSameLink(t)
		})
	}
}

func TestASoleSubscriberMayHaveAReplay(t *testing.T) {
	t.Parallel()
	l := notifyingLab(t)
	a, b := l.pair(t)
	past := fmt.Sprintf("<startTime>%s</startTime>", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	l.follow(t, []step{{b, happen("before"), "ok"}, {a, subscription(past), "ok"}})
	notified(t, a, "before")
	notified(t, a, "replayComplete")
	if tag := answer(t, b, subscription(past)); tag == "ok" {
		t.Error("a second subscriber shares a replay")
	}
}

// A session cannot end its subscription: the device must call again.
func TestAnotherSubscriptionAfterTheLastSubscriberNeedsAnotherCall(t *testing.T) {
	t.Parallel()
	l := notifyingLab(t)
	a, b := l.pair(t)
	l.follow(t, []step{{a, subscription("<stream>alarms</stream>"), "ok"}, {a, "<close-session/>", "ok"}})
	if reply, err := b.RPC(harness.ReplyTimeout, subscription("")); err == nil && !strings.Contains(reply, "rpc-error") {
		t.Errorf("it was answered with %s", reply)
	}
	l.AwaitDevice(t, harness.ReplyTimeout, "the device to call again", func(d control.Device) bool {
		return d.Name == "edge-1" && d.State == control.StateConnected && !d.Since.Equal(l.link.Since)
	})
	again := l.connect(t, harness.Base11).Session
	if tag := answer(t, again, subscription("")); tag != "ok" {
		t.Errorf("on the next call it was answered with %s", tag)
	}
}

const interleaveCapability, notificationCapability = ":capability:interleave:1.0", ":capability:notification:1.0"

// Without :interleave a subscription would take the session from all others.
func TestWithoutInterleaveNobodySubscribesUnlessAlone(t *testing.T) {
	t.Parallel()
	for mode, offered := range map[string]bool{"shared": false, "exclusive": true} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{
				Features: devicesim.Features{NoInterleave: true}, Heartbeat: tick, Reconnect: 100 * time.Millisecond,
			}, fmt.Sprintf("sessions = %q", mode))
			s := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
			if has := strings.Contains(s.ServerHello, notificationCapability); has != offered {
				t.Errorf("notifications are offered: %v: %s", has, s.ServerHello)
			}
			tag := answer(t, s, subscription(""))
			if (tag == "ok") != offered {
				t.Errorf("create-subscription was answered with %s", tag)
			}
			if !offered {
				answersWithin(t, s, harness.ReplyTimeout)
				l.mustBeTheSameLink(t)
				return
			}
			notified(t, s, "heartbeat")
			s.Close() // and the next one needs a session without a subscription
			l.AwaitDevice(t, harness.ReplyTimeout, "the device to call again", func(d control.Device) bool {
				return d.Name == "edge-1" && d.State == control.StateConnected && !d.Since.Equal(l.link.Since)
			})
			l.mustServe(t)
		})
	}
}

func TestTheHelloOfASharedSessionLacksWhatBelongsToOne(t *testing.T) {
	t.Parallel()
	const prefix = "urn:ietf:params:netconf:capability:"
	features := everyFeature
	features.Advertise = []string{prefix + "partial-lock:1.0", "urn:example:vendor?module=vendor&amp;revision=2026-01-01"}
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{Features: features})
	for _, base := range []string{harness.Base10, harness.Base11} {
		hello := harness.ConnectTLS(t, l.edge1TLS(), base).ServerHello
		for _, want := range []string{harness.Base10, harness.Base11, prefix + "candidate:1.0", prefix + "confirmed-commit:1.1", notificationCapability, interleaveCapability, "urn:example:vendor"} {
			if !strings.Contains(hello, want) {
				t.Errorf("the hello lacks %s: %s", want, hello)
			}
		}
		if strings.Contains(hello, "partial-lock") {
			t.Errorf("the hello has partial-lock: %s", hello)
		}
	}
}

func TestWhatBelongsToTheSessionIsRefused(t *testing.T) {
	t.Parallel()
	arrived := &harness.Output{}
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{OnMessage: func(_ uint32, document []byte) { _, _ = arrived.Write(document) }})
	s := harness.ConnectTLS(t, l.edge1TLS(), harness.Base11)
	for _, operation := range []string{
		`<partial-lock xmlns="urn:ietf:params:xml:ns:netconf:partial-lock:1.0"><select>/system</select></partial-lock>`,
		`<establish-subscription xmlns="urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"><stream>NETCONF</stream></establish-subscription>`,
		`<start-transaction xmlns="http://tail-f.com/ns/netconf/transactions/1.0"><target><running/></target></start-transaction>`,
		`<lock-configuration/>`, `<open-configuration><private/></open-configuration>`,
	} {
		if tag := answer(t, s, operation); tag == "ok" || tag == "data" {
			t.Errorf("%s was answered with %s", operation, tag)
		}
		name := operation[1:strings.IndexAny(operation, " />")]
		if arrived.Contains(name) {
			t.Errorf("the device saw %s", name)
		}
	}
	l.mustBeTheSameLink(t)
}
