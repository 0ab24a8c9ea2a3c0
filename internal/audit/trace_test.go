package audit

import (
	"strings"
	"testing"

	"callhome-gateway/gateway"
	"callhome-gateway/internal/redact"
)

func TestTracedMessages(t *testing.T) {
	secrets, err := redact.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]gateway.TraceRecord{
		"the device is away":           {Event: "the device is away"},
		"the device is here\n<hello/>": {Event: "the device is here", Body: []byte("<hello/>")},
		`noc -> device, session 2000000001 (on the device 4): rpc "edit-config" of "running", message-id "1\n", 44 bytes` +
			"\n<rpc><password>[redacted]</password></rpc>": {
			Manager: "noc", SessionID: 2000000001, DeviceSessionID: 4, Kind: "rpc", Operation: "edit-config", Target: "running",
			MessageID: "1\n", Size: 44, Body: []byte("<rpc><password>x</password></rpc>"),
		},
		"device -> noc, session 4: notification, 4 bytes\n<n/>": {
			FromDevice: true, Manager: "noc", SessionID: 4, DeviceSessionID: 4, Kind: "notification", Size: 4, Body: []byte("<n/>"),
		},
		"gateway, in the device's place -> noc, session 4: rpc-reply, 7 bytes, cut off\n<a>\n" +
			"==== the rest is not shown: too long, cut off, or not well-formed": {
			FromDevice: true, InPlace: true, Partial: true, Manager: "noc", SessionID: 4, DeviceSessionID: 4, Kind: "rpc-reply",
			Size: 7, Body: []byte("<a>text"),
		},
	} {
		r.Time = noon
		want = "\n==== 2026-03-01T12:00:00.005000Z " + want + "\n"
		if got := string(traced(r, secrets)); got != want {
			t.Errorf("%s\nnot\n%s", got, want)
		}
	}
	long := gateway.TraceRecord{Body: []byte("<a>" + strings.Repeat("<key>x</key>", 1000) + "</a>")}
	if got := string(traced(long, secrets)); strings.Count(got, redact.Mark) != 1000 {
		t.Error("what is shown is longer than the message, and cut")
	}
}
