package devicesim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/netconf"
)

func subscribeTo(content string) string {
	return `<create-subscription xmlns="` + netconf.NamespaceNotification + `">` + content + `</create-subscription>`
}

func TestSubscription(t *testing.T) {
	_, _, c := connect(t, func(o *Options) { o.Heartbeat = 1 })
	subscribe := `<create-subscription xmlns="` + netconf.NamespaceNotification + `"/>`
	c.ok(subscribe)
	contains(t, c.read(), `<eventTime>`, `<heartbeat`+simXMLNS+`><device>dev</device><sequence>1</sequence></heartbeat>`)
	contains(t, c.read(), `<sequence>2</sequence>`)

	// Replies come between notifications.
	c.send(subscribe)
	reply := c.read()
	for strings.Contains(reply, "<notification") {
		reply = c.read()
	}
	contains(t, reply, "<error-tag>in-use</error-tag>")
}

func TestSubscriptionFilter(t *testing.T) {
	_, _, c := connect(t, func(o *Options) { o.Heartbeat = 1 })
	c.ok(`<create-subscription xmlns="` + netconf.NamespaceNotification + `"><filter><heartbeat` + simXMLNS + `><sequence>3</sequence></heartbeat></filter></create-subscription>`)
	contains(t, c.read(), `<sequence>3</sequence>`)
	contains(t, c.do(`<get/>`), "<data")
}

func alarm(n int) string { return fmt.Sprintf(`<alarm xmlns="urn:a"><n>%d</n></alarm>`, n) }

// quiet is a device whose only events are those of the test.
func quiet(o *Options) {
	o.Heartbeat = -1
	o.Features = Features{Streams: []string{"alarms"}, Replay: 3}
}

func TestEventsReachTheirSubscribers(t *testing.T) {
	d, ssh, all := connect(t, quiet)
	alarms, filtered, none := open(t, ssh), open(t, ssh), open(t, ssh)
	all.ok(subscribeTo(``))
	alarms.ok(subscribeTo(`<stream>alarms</stream>`))
	filtered.ok(subscribeTo(`<filter><alarm xmlns="urn:a"><n>2</n></alarm></filter>`))
	if err := d.Notify("alarms", alarm(1)); err != nil {
		t.Fatal(err)
	}
	none.ok(`<notify` + simXMLNS + `><event>` + alarm(2) + `</event></notify>`)
	contains(t, all.read(), "<notification ", alarm(1))
	contains(t, all.read(), alarm(2))
	contains(t, alarms.read(), alarm(1))
	contains(t, filtered.read(), alarm(2))
	for _, c := range []*client{alarms, filtered, none} { // nothing else came
		contains(t, c.do(`<get/>`), "<rpc-reply ", "<replaySupport>true</replaySupport>")
	}

	subs := d.Subscriptions()
	if len(subs) != 3 || subs[1].Stream != "alarms" || subs[1].Session != alarms.hello.SessionID ||
		!strings.Contains(subs[2].Filter, "<n>2</n>") {
		t.Errorf("subscriptions %+v", subs)
	}
	all.ok(`<close-session/>`)
	all.gone()
	if n := len(d.Subscriptions()); n != 2 {
		t.Errorf("%d subscriptions, want 2", n)
	}
	if d.Notify("lost", alarm(3)) == nil || d.Notify(streamName, "<a") == nil {
		t.Error("an impossible event happened")
	}
}

func TestReplay(t *testing.T) {
	d, _, c := connect(t, quiet)
	started := time.Now().Add(-time.Minute).Format(time.RFC3339)
	for n := range 5 {
		if err := d.Notify(streamName, alarm(n)); err != nil {
			t.Fatal(err)
		}
	}
	stop := time.Now().Add(time.Hour).Format(time.RFC3339)
	c.ok(subscribeTo(`<startTime>` + started + `</startTime><stopTime>` + stop + `</stopTime>`))
	for n := 2; n < 5; n++ { // the latest three
		contains(t, c.read(), alarm(n))
	}
	contains(t, c.read(), `<replayComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"/>`)
	if err := d.Notify(streamName, alarm(5)); err != nil {
		t.Fatal(err)
	}
	contains(t, c.read(), alarm(5))
	c.fails(subscribeTo(``), "in-use")
}

func TestStopTimeEndsASubscription(t *testing.T) {
	d, _, c := connect(t, quiet)
	if err := d.Notify(streamName, alarm(1)); err != nil {
		t.Fatal(err)
	}
	start, stop := time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	for range 2 { // the session may subscribe again
		c.ok(subscribeTo(`<startTime>` + start.Format(time.RFC3339) + `</startTime><stopTime>` + stop.Format(time.RFC3339) + `</stopTime>`))
		contains(t, c.read(), "<replayComplete ")
		contains(t, c.read(), `<notificationComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"/>`)
	}
	if subs := d.Subscriptions(); len(subs) != 0 {
		t.Errorf("subscriptions %v", subs)
	}
}

func TestSubscriptionErrors(t *testing.T) {
	_, ssh, c := connect(t, quiet)
	past, future := time.Now().Add(-time.Hour).Format(time.RFC3339), time.Now().Add(time.Hour).Format(time.RFC3339)
	for content, tag := range map[string]string{
		`<stream>X</stream>`:                                                           "invalid-value",
		`<startTime>yesterday</startTime>`:                                             "bad-element",
		`<startTime>` + future + `</startTime>`:                                        "bad-element",
		`<stopTime>` + future + `</stopTime>`:                                          "missing-element",
		`<filter type="xpath" select="/"/>`:                                            "bad-attribute",
		`<startTime>` + past + `</startTime><stopTime>1</stopTime>`:                    "bad-element",
		`<startTime>` + past + `</startTime><stopTime>2001-01-01T00:00:00Z</stopTime>`: "bad-element",
	} {
		c.fails(subscribeTo(content), tag)
	}
	c.fails(`<notify`+simXMLNS+`><stream>X</stream></notify>`, "invalid-value")
	c.fails(`<notify`+simXMLNS+`/>`, "missing-element")
	open(t, ssh).ok(subscribeTo(``)) // nothing is left over
}

func TestNoReplay(t *testing.T) {
	_, _, c := connect(t, nil)
	c.fails(subscribeTo(`<startTime>2001-01-01T00:00:00Z</startTime>`), "operation-not-supported")
}

func TestNoNotification(t *testing.T) {
	_, _, c := connect(t, func(o *Options) { o.NoNotification = true })
	if c.hello.Has(capability("notification:1.0")) || c.hello.Has(capability("interleave:1.0")) {
		t.Error("notifications are advertised")
	}
	c.fails(subscribeTo(``), "operation-not-supported")
}

func TestNoInterleave(t *testing.T) {
	_, ssh, c := connect(t, func(o *Options) { o.NoInterleave, o.Heartbeat = true, -1 })
	if c.hello.Has(capability("interleave:1.0")) {
		t.Error(":interleave is advertised")
	}
	c.ok(subscribeTo(``))
	c.fails(`<get/>`, "resource-denied")
	c.fails(subscribeTo(``), "in-use")
	contains(t, open(t, ssh).do(`<get/>`), "<data")
	c.ok(`<close-session/>`)
}

// TestSubscriberThatReadsNothing must not keep its session, or the device,
// from ending.
func TestSubscriberThatReadsNothing(t *testing.T) {
	d, ssh, c := connect(t, quiet)
	c.ok(subscribeTo(``))
	done := make(chan error, 1)
	large := `<x xmlns="urn:x">` + strings.Repeat("x", 1<<15) + `</x>`
	go func() {
		var err error
		for range 2 * waiting {
			err = d.Notify(streamName, large)
		}
		done <- err
	}()
	_ = ssh.Close()
	if err := within(t, done); err != nil {
		t.Error(err)
	}
}
