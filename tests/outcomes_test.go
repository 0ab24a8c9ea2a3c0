package tests

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// provocation makes a call that ends for one reason.
type provocation struct {
	// callhome and blocks configure a gateway of its own. The user entry is "fleet".
	callhome []string
	blocks   func(t *testing.T, p *provoked) []string
	// call makes the call, once or more. It comes from the source.
	call func(t *testing.T, p *provoked)
	// known says that the gateway knows the device as edge-1, so that an operator
	// sees the reason there too.
	known bool
}

// provoked is what the parts of a provocation share.
type provoked struct {
	*harness.Gateway
	source string
	key    harness.Key
	ca     *deviceCA
	shown  harness.Certificate
}

// provocations are the ways in which a call can end.
var provocations = map[callhome.Reason]provocation{
	callhome.Accepted: {known: true, blocks: pinnedToFleet, call: calls},
	callhome.RejectedNetwork: {
		callhome: []string{`deny = ["127.0.0.0/8"]`}, blocks: pinnedToFleet, call: calls,
	},
	callhome.RejectedLimit: {callhome: []string{"max_calls = 4"}, call: func(t *testing.T, p *provoked) {
		for range 5 {
			p.sends(t, "")
		}
	}},
	callhome.RejectedInUse: {known: true, blocks: pinnedToFleet, call: func(t *testing.T, p *provoked) {
		p.simulator(t, devicesim.Options{Source: netip.MustParseAddr(harness.Address(t))})
		p.AwaitConnected(t, "edge-1")
		calls(t, p)
	}},
	callhome.RejectedHook: {
		callhome: []string{"user_select {", `command = ["/bin/echo", "{\"reject\": true, \"reason\": \"not today\"}"]`, "}"},
		call:     calls,
	},
	callhome.RejectedNoUser: {known: true, blocks: pinnedToFleet, call: func(t *testing.T, p *provoked) {
		p.simulator(t, devicesim.Options{Username: "somebody", Password: "else"})
		p.saw(t, callhome.FailedLogin)
		calls(t, p) // there is no other user to try
	}},
	callhome.RejectedUntrusted: {callhome: []string{`trust = "pinned"`, `users = ["fleet"]`}, call: calls},
	callhome.RejectedPending:   {callhome: []string{`users = ["fleet"]`}, call: calls},
	callhome.RejectedKeyChanged: {known: true, call: calls, blocks: func(_ *testing.T, p *provoked) []string {
		return []string{fmt.Sprintf("session \"edge-1\" {\n  address = %q\n  host_keys = [%q]\n  user = \"fleet\"\n}\n", p.source, "SHA256:"+strings.Repeat("A", 43))}
	}},
	callhome.RejectedWrongUser: {known: true, callhome: []string{`users = ["other"]`}, call: calls,
		blocks: func(t *testing.T, p *provoked) []string {
			return append(pinnedToFleet(t, p), harness.UserEntry("other", "other", harness.Password))
		},
	},
	callhome.RejectedFlapping: {known: true, blocks: pinnedToFleet, call: func(t *testing.T, p *provoked) {
		var conn atomic.Pointer[net.Conn]
		harness.NewSimulator(t, p.key, devicesim.Options{
			Connect: p.CallHome(), Source: netip.MustParseAddr(p.source), Reconnect: 10 * time.Millisecond,
			OnConnect: func(c net.Conn) { conn.Store(&c) },
			OnSession: func(_ uint32, up bool) {
				if up {
					_ = (*conn.Load()).(*net.TCPConn).CloseWrite()
				}
			},
		})
	}},
	callhome.RejectedRevoked:    badly("revoked"),
	callhome.RejectedExpired:    badly("expired"),
	callhome.RejectedSelfSigned: badly("self-signed"),
	callhome.RejectedWrongCA:    badly("wrong-ca"),
	callhome.RejectedWrongName:  badly("wrong-name"),
	callhome.FailedPreamble:     {call: func(t *testing.T, p *provoked) { p.sends(t, "GET / HTTP/1.1\r\n\r\n") }},
	callhome.FailedHandshake: {blocks: pinnedToFleet, call: func(t *testing.T, p *provoked) {
		p.sends(t, "SSH-2.0-device\r\n"+strings.Repeat("\xff", 1<<10))
	}},
	callhome.FailedLogin: {known: true, blocks: pinnedToFleet, call: func(t *testing.T, p *provoked) {
		p.simulator(t, devicesim.Options{Username: "somebody", Password: "else"})
	}},
	callhome.FailedSubsystem: {known: true, blocks: pinnedToFleet, call: func(t *testing.T, p *provoked) {
		p.simulator(t, devicesim.Options{MaxSessions: -1})
	}},
	callhome.FailedHello: {known: true, blocks: pinnedToFleet, call: func(t *testing.T, p *provoked) {
		p.simulator(t, devicesim.Options{ClosedHello: true})
	}},
	callhome.TimedOut: {call: func(t *testing.T, p *provoked) { p.sends(t, "") }},
}

func TestEveryReasonIsReached(t *testing.T) {
	t.Parallel()
	for _, code := range reasonCodes(t) {
		provocation, ok := provocations[callhome.Reason(code)]
		if !ok {
			t.Errorf("nothing here provokes %s", code)
			continue
		}
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			provocation.run(t, callhome.Reason(code))
		})
	}
}

func (c provocation) run(t *testing.T, reason callhome.Reason) {
	p := &provoked{source: harness.Address(t), key: harness.NewKey(t), ca: newDeviceCA(t)}
	config := harness.Config{
		Callhome: append(c.callhome, `reject_delay = "0s"`),
		Blocks:   []string{harness.SimulatorUser("fleet"), p.ca.user("certified")},
	}
	if c.blocks != nil {
		config.Blocks = append(config.Blocks, c.blocks(t, p)...)
	}
	p.Gateway = harness.StartGateway(t, config)
	c.call(t, p)
	p.saw(t, reason)
	if c.known {
		awaitOutcome(t, p.Gateway, reason, func(d control.Device) bool { return d.Name == "edge-1" })
	}
}

// pinnedToFleet lets the device in.
func pinnedToFleet(_ *testing.T, p *provoked) []string {
	return []string{harness.SessionEntry("edge-1", p.key, "fleet", devicePort)}
}

// badly is the case of badCertificates, of a device whose name the gateway
// expects at the source.
func badly(name string) provocation {
	return provocation{
		known: true,
		blocks: func(t *testing.T, p *provoked) []string {
			i := slices.IndexFunc(badCertificates, func(c badCertificate) bool { return c.name == name && !c.unknown })
			p.shown = badCertificates[i].make(t, p.ca, "edge-1")
			if name == "revoked" {
				p.ca.WriteCRL(t, p.ca.crl, p.shown)
			}
			return []string{harness.NamedEntry("edge-1", "edge-1", "certified", 0, fmt.Sprintf("address = %q", p.source))}
		},
		call: func(t *testing.T, p *provoked) {
			harness.NewTLSSimulator(t, p.shown, devicesim.Options{Connect: p.CallHomeTLS(), Source: netip.MustParseAddr(p.source), Reconnect: -1})
		},
	}
}

// calls lets the device call once.
func calls(t *testing.T, p *provoked) { p.simulator(t, devicesim.Options{}) }

func (p *provoked) simulator(t *testing.T, o devicesim.Options) {
	o.Connect, o.Reconnect = p.CallHome(), -1
	if !o.Source.IsValid() {
		o.Source = netip.MustParseAddr(p.source)
	}
	harness.NewSimulator(t, p.key, o)
}

// saw waits until a call from the source has ended so, as the log tells.
func (p *provoked) saw(t *testing.T, reason callhome.Reason) {
	t.Helper()
	harness.Eventually(t, harness.ReplyTimeout, "a call to end as "+string(reason), func() bool {
		return slices.ContainsFunc(p.Output.Lines("reason="+string(reason)+" "), func(line string) bool { return strings.Contains(line, p.source+":") })
	})
}

// sends opens a connection that says no more than this, until the test ends.
func (p *provoked) sends(t *testing.T, text string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(p.source)}}
	conn, err := dialer.Dial("tcp", p.CallHome())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}
