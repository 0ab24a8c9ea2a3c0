package share

import (
	"strings"
	"testing"

	"callhome-gateway/internal/netconf"
)

func TestHelloKeepsItsText(t *testing.T) {
	const start, end = `<?xml version="1.0"?><!-- x --><n:hello xmlns:n="` + netconf.NamespaceBase + `"><n:capabilities a="b">`, `</n:capabilities></n:hello>`
	capability := func(c string) string { return "<n:capability>" + c + "</n:capability>\n" }
	raw := start + capability("a?x=1&amp;y=2") + capability(" "+private[0]+" ") + "<!-- -->" + capability(netconf.CapabilityBase11) +
		"</n:capabilities><n:session-id> 4 </n:session-id></n:hello>"
	device, err := netconf.ParseHello([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	keep := func(c string) bool { return honoured(device, c) }
	want := start + capability("a?x=1&amp;y=2") + "\n<!-- -->" + capability(netconf.CapabilityBase11) +
		"</n:capabilities><n:session-id>2000000001</n:session-id></n:hello>"
	if got := helloFor(device, 2000000001, keep); string(got.Raw) != want || got.SessionID != 2000000001 {
		t.Errorf("got %s", got.Raw)
	}

	without, err := netconf.ParseHello([]byte(start + capability("a") + end))
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []*netconf.Hello{without, {Capabilities: []string{"a"}}} {
		got := helloFor(device, 2000000001, keep)
		again, err := netconf.ParseHello(got.Raw)
		if err != nil || again.SessionID != 2000000001 || strings.Join(again.Capabilities, " ") != "a" {
			t.Errorf("without a session-id: %s, %v", got.Raw, err)
		}
	}
}
