package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/control"
)

// fakeGateway answers with two devices, one of them hostile, and a pending one.
type fakeGateway struct {
	control.Backend
	approved control.ApproveRequest
	asked    string
}

func (*fakeGateway) Status(context.Context) (control.Status, error) {
	return control.Status{
		Version: "v1.2.3", PID: 42, Started: time.Now(), StateDir: "/var/lib/x",
		Callhome:    control.Listener{Enabled: true, Address: "0.0.0.0:4334", Listening: true},
		Gateway:     control.Listener{Enabled: true, Address: "127.0.0.1:830"},
		CallhomeTLS: control.Listener{Enabled: true, Address: "0.0.0.0:4335", Listening: true},
		Listeners:   []control.CallListener{{Name: "olts", SSH: control.Listener{Enabled: true, Address: "0.0.0.0:4434", Listening: true}}},
		Devices:     control.Counts{Connected: 1, Away: 2, Pending: 3},
		Draining:    true, CallhomeRunning: true, Totals: control.Totals{LoginsRefused: 4, Sessions: 5, Requests: 6, RequestsRefused: 7},
		LastReload: &control.Reload{Time: time.Now(), Error: "config.hcl:1:1: error\x1b"},
		Failures:   []control.Failure{{Device: "edge-1", User: "fleet", Identity: "SHA256:one", Since: time.Now()}},
		Awaited:    []control.Awaited{{Address: "192.0.2.1", Usernames: []string{"admin", "root"}}},
	}, nil
}

func (*fakeGateway) Devices(context.Context) ([]control.Device, error) {
	return []control.Device{
		{Name: "edge-1", State: control.StateConnected, Transport: "ssh", Address: "192.0.2.1:1234", Port: 20001, Managers: 2, Busy: true,
			LastOutcome: &control.Outcome{Time: time.Now(), Reason: "accepted"}},
		{Name: "edge-2", State: control.StateAway, LastSeen: time.Now().Add(-90 * time.Minute)},
		{State: control.StatePending, Identity: "SHA256:two", KeyType: "ssh-ed25519\x1b[2J\n", Address: "192.0.2.2", Calls: 7},
		{State: control.StatePending, Transport: "tls", Identity: "SHA256:9F:86", KeyType: "x509", Address: "192.0.2.3", Calls: 1, Certificate: "\"CN=olt-7\", issued by \x1b[2J"},
	}, nil
}

func (*fakeGateway) Device(_ context.Context, name string) (control.Device, error) {
	if name == "edge-6" {
		return control.Device{Name: name, State: control.StateConnected, Transport: "ssh", HostPrincipals: []string{"edge-6.example"}, Listener: "olts", DeviceID: "evil\x1b[31m", Algorithms: &control.Algorithms{
			KeyExchange: "diffie-hellman-group14-sha1", HostKey: "ssh-rsa",
			Sent: control.Protection{Cipher: "aes128-cbc", MAC: "hmac-sha1"}, Received: control.Protection{Cipher: "aes128-gcm@openssh.com"},
		}}, nil
	}
	if name != "edge-1" {
		return control.Device{}, fmt.Errorf("showing %q: %w", name, auth.ErrUnknownDevice)
	}
	protection := control.Protection{Cipher: "TLS_AES_128_GCM_SHA256"}
	return control.Device{Algorithms: &control.Algorithms{Version: "TLS 1.3", KeyExchange: "X25519", Sent: protection, Received: protection}, Name: name, State: control.StateConnected, Transport: "tls", TLSPort: 21001, Sessions: "shared", CertificateNames: []string{"edge-1.example"}, Capabilities: []string{"urn:a", "evil\x1b[31m\tx"},
		LastOutcome: &control.Outcome{Time: time.Now(), Reason: "accepted", Detail: "logged in"}}, nil
}

func (g *fakeGateway) Approve(_ context.Context, r control.ApproveRequest) (control.Device, error) {
	g.approved = r
	return control.Device{Name: r.Name, Identity: r.Device}, nil
}

func (*fakeGateway) Reject(_ context.Context, device string) (control.Device, error) {
	return control.Device{Identity: device}, nil
}

func (*fakeGateway) Forget(_ context.Context, name string) error {
	if name == "edge-9" {
		return fmt.Errorf("forgetting %q: %w", name, auth.ErrUnknownDevice)
	}
	return nil
}

func (*fakeGateway) Disconnect(context.Context, string) error { return nil }

func startFake(t *testing.T) (g *fakeGateway, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cmd")
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, control.SocketName)
	l, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	g = &fakeGateway{}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- control.Serve(ctx, l, g, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return g, socket
}

type result struct {
	status   int
	out, err string
}

func runWith(socket string, args ...string) result {
	var out, errOut bytes.Buffer
	status := run(append(args, "--socket", socket), strings.NewReader(""), &out, &errOut)
	return result{status, out.String(), errOut.String()}
}

func TestClientCommands(t *testing.T) {
	_, socket := startFake(t)
	for name, c := range map[string]struct {
		args   string
		status int
		want   []string
	}{
		"status": {"status", 0, []string{"v1.2.3", "listening on 0.0.0.0:4334", "listening on 0.0.0.0:4335", "call home olts        ", "listening on 0.0.0.0:4434", "call home olts (TLS)   disabled", "shared endpoint (TLS)", "not listening",
			"1 connected, 2 away, 3 pending", "nobody is let in", "accepted\n", `failed 0s ago: "config.hcl:1:1: error\x1b"`, "5 manager sessions, 4 refused logins, 6 requests, 7 of them refused", "fleet", "never", "admin, root", "device list"}},
		"list": {"device list", 0, []string{"edge-1", "connected (busy)", "20001", "accepted, 0s ago", "1h30m ago",
			"SHA256:two", "shows a certificate of", `issued by \x1b[2J`, "TLS PORT", `"ssh-ed25519\x1b[2J\n"`, "device approve FINGERPRINT --name NAME"}},
		"show":                     {"device show edge-1", 0, []string{"logged in", "21001", "shared", "edge-1.example", "capabilities (2)", "  urn:a", `"evil\x1b[31m\tx"`}},
		"show what TLS negotiated": {"device show edge-1", 0, []string{"version         TLS 1.3", "key exchange    X25519", "protected by    TLS_AES_128_GCM_SHA256\n"}},
		"show what SSH negotiated": {"device show edge-6", 0, []string{`"evil\x1b[31m"`, "expected principals  edge-6.example", "listener             olts", "key exchange         diffie-hellman-group14-sha1",
			"signed with          ssh-rsa", "sent under           aes128-cbc, hmac-sha1", "received under       aes128-gcm@openssh.com\n"}},
		"show none":  {"device show edge-7", 1, []string{`callhome-gateway: showing "edge-7": no such device`}},
		"approve":    {"device approve SHA256:two --name edge-3", 0, []string{"approved SHA256:two as edge-3: it is let in when it calls again"}},
		"reject":     {"device reject SHA256:two", 0, []string{"rejected SHA256:two"}},
		"disconnect": {"device disconnect edge-1 edge-2", 0, []string{"disconnected edge-1\ndisconnected edge-2"}},
		"forget":     {"device forget edge-9 edge-1", 1, []string{"forgot edge-1", `callhome-gateway: forgetting "edge-9": no such device`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runWith(socket, strings.Fields(c.args)...)
			if r.status != c.status {
				t.Errorf("exit status %d, want %d", r.status, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(r.out+r.err, want) {
					t.Errorf("%q is missing in:\n%s%s", want, r.out, r.err)
				}
			}
			if strings.ContainsRune(r.out+r.err, '\x1b') {
				t.Error("an escape sequence of a device reaches the terminal")
			}
		})
	}
}

func TestJSONIsAnArrayOfObjects(t *testing.T) {
	_, socket := startFake(t)
	for args, want := range map[string]int{
		"device list --json":                      4,
		"device show edge-1 edge-1 --json":        2,
		"device approve SHA256:x --name a --json": 1,
	} {
		r := runWith(socket, strings.Fields(args)...)
		var devices []map[string]any
		if err := json.Unmarshal([]byte(r.out), &devices); err != nil || len(devices) != want {
			t.Errorf("%s: %v\n%s%s", args, err, r.out, r.err)
			continue
		}
		for _, field := range []string{"name", "state", "transport", "address", "identity", "port", "tls_port", "managers", "last_outcome"} {
			if _, ok := devices[0][field]; !ok {
				t.Errorf("%s: field %q is missing", args, field)
			}
		}
	}
}

func TestApproveSendsWhatWasGiven(t *testing.T) {
	g, socket := startFake(t)
	runWith(socket, "device", "approve", "SHA256:two", "--name", "edge-3", "--user", "fleet", "--replace")
	if want := (control.ApproveRequest{Device: "SHA256:two", Name: "edge-3", User: "fleet", Replace: true}); g.approved != want {
		t.Errorf("got %+v", g.approved)
	}
}

func TestCompletionOffersDevices(t *testing.T) {
	_, socket := startFake(t)
	for args, want := range map[string]string{
		"show":    "edge-1\nedge-2\n",
		"approve": "SHA256:two\nSHA256:9F:86\n",
	} {
		var out, errOut bytes.Buffer
		run([]string{"__complete", "device", args, "--socket", socket, ""}, strings.NewReader(""), &out, &errOut)
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("device %s: %q", args, out.String())
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                   "plain text",
		"größe":                        "größe",
		"bell\a":                       `"bell\a"`,
		"\u202etxt":                    `"\u202etxt"`,
		"not utf-8 \xff":               `"not utf-8 \xff"`,
		strings.Repeat("é", 400):       strings.Repeat("é", 300) + "...",
		"x" + strings.Repeat("é", 400): "x" + strings.Repeat("é", 299) + "...",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Now()
	for d, want := range map[time.Duration]string{
		-time.Hour:                    "0s ago", // a clock that jumped
		59 * time.Second:              "59s ago",
		59 * time.Minute:              "59m ago",
		3*time.Hour + 5*time.Minute:   "3h05m ago",
		50*time.Hour + 30*time.Minute: "2d02h ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got := ago(time.Time{}, now); got != "" {
		t.Errorf("never: %q", got)
	}
}
