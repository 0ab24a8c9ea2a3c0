package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"strings"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/redact"

	"golang.org/x/crypto/ssh"
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
		"device -> noc, session 4: notification, 9 bytes\n<n a=\"&#x9b;\">\u00a0&#x7f;</n>": {
			FromDevice: true, Manager: "noc", SessionID: 4, DeviceSessionID: 4, Kind: "notification", Size: 9, Body: []byte("<n a=\"\u009b\">\u00a0\x7f</n>"),
		},
		"gateway, in the device's place -> noc, session 4: rpc-reply, 7 bytes, cut off\n<a>\n" +
			"==== the rest is not shown: too long, cut off, or not well-formed": {
			FromDevice: true, InPlace: true, Partial: true, Manager: "noc", SessionID: 4, DeviceSessionID: 4, Kind: "rpc-reply",
			Size: 7, Body: []byte("<a>text"),
		},
	} {
		r.Time = noon
		want = "\n==== 2026-03-01T12:00:00.005000Z " + want + "\n"
		if got := string(appendTraced(nil, r, secrets)); got != want {
			t.Errorf("%s\nnot\n%s", got, want)
		}
	}
	long := gateway.TraceRecord{Body: []byte("<a>" + strings.Repeat("<key>x</key>", 1000) + "</a>")}
	if got := string(appendTraced(nil, long, secrets)); strings.Count(got, redact.Mark) != 1000 {
		t.Error("what is shown is longer than the message, and cut")
	}
}

// Who asked for a trace tells by what was written whether it has begun.
func TestATraceThatDoesNotBeginWritesNothing(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	hostKey, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{HostKeys: []ssh.Signer{hostKey}})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.AddDevice("edge-1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Trace(ctx, g, "edge-1", w, nil) }()
	begin := make([]byte, 1024)
	n, err := first.Read(begin)
	if text := string(begin[:n]); err != nil || !strings.HasPrefix(text, "callhome-gateway: ") || !strings.Contains(text, "the device is away") {
		t.Errorf("the first begins with %q, %v", text, err)
	}
	var second bytes.Buffer
	if err := Trace(ctx, g, "edge-1", &second, nil); !errors.Is(err, gateway.ErrTraced) || second.Len() > 0 {
		t.Errorf("%v, %q", err, &second)
	}
	if err := Trace(ctx, g, "edge-2", &second, nil); !errors.Is(err, auth.ErrUnknownDevice) || second.Len() > 0 {
		t.Errorf("%v, %q", err, &second)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
