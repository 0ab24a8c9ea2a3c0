package gateway

import (
	"io"
	"strings"
	"testing"

	"callhome-gateway/internal/netconf"
)

// A client may send its hello, and more, without waiting for any answer.
func TestDataBeforeTheSubsystem(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1")
	c := openChannel(t, dial(t, h.opts.Port, "noc@edge-1"))
	own := &netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}}
	write(t, c.conn, string(own.Document()))
	write(t, c.conn, rpc(1, "<get/>"))
	if !c.ask("subsystem", "netconf") {
		t.Fatal("the subsystem was refused")
	}
	write(t, c.conn, rpc(2, strings.Repeat(" ", maxEarly)+"<close-session/>"))
	if _, err := netconf.ReadHello(c.conn.Reader); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := read(t, c.conn); !strings.Contains(got, "<ok/>") {
			t.Errorf("got %q", got)
		}
	}
	if status, _ := c.exit(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestDataThatNobodyReadsEndsTheSession(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1")
	client := dial(t, h.opts.Port, "noc@edge-1")
	early, stderr := openChannel(t, client), hello(t, client)
	io.WriteString(early, strings.Repeat("x", maxEarly+1))
	io.WriteString(stderr.Stderr(), "x")
	for _, c := range []*channel{early, stderr} {
		if status, _ := c.exit(); status != 1 {
			t.Errorf("exit status %d", status)
		}
	}
	if got := hello(t, client).get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("then got %q", got)
	}
}
