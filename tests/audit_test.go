package tests

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/tests/harness"
)

// traceOutput is what a trace has written so far.
type traceOutput struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *traceOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *traceOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// What real devices answer is in the audit as they meant it, and in a trace, in
// both framings, on own and on shared sessions. The secret of a request, which the
// device has got, is in neither.
func TestAuditAndTraceOfRealDevices(t *testing.T) {
	t.Parallel()
	for _, device := range allKinds() {
		for _, base := range []string{harness.Base10, harness.Base11} {
			t.Run(device.name+" "+base, func(t *testing.T) {
				t.Parallel()
				auditAndTrace(t, device.make(t), base)
			})
		}
	}
}

func auditAndTrace(t *testing.T, device *harness.Device, base string) {
	const secret = "hunter2-only-for-tests"
	file := filepath.Join(t.TempDir(), "audit.log")
	l := newLab(t, device, harness.Config{Blocks: []string{fmt.Sprintf("audit {\n  file = %q\n  bodies = [\"*\"]\n}\n", file)}})
	trace := &traceOutput{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.Control().Trace(ctx, "edge-1", trace)
	}()
	defer func() { cancel(); <-ended }()
	harness.Eventually(t, harness.ReplyTimeout, "the trace to begin", func() bool {
		return strings.Contains(trace.String(), "the device is connected")
	})
	s := l.connect(t, base)
	lock := "<lock><target><running/></target></lock>"
	for i, operation := range []string{
		soundOperation, lock, lock, // the second of which is denied
		"<unlock><target><running/></target></unlock>", `<nonsense xmlns="urn:nobody"><password>` + secret + `</password></nonsense>`,
		fmt.Sprintf("<kill-session><session-id>%d</session-id></kill-session>", l.link.SessionID),
	} {
		if err := s.Send(harness.RPC(fmt.Sprint(i), operation)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(harness.ReplyTimeout); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, harness.ReplyTimeout, "the trace to have the last reply", func() bool {
		return strings.Contains(trace.String(), `rpc-reply, message-id "4"`)
	})
	s.Close()
	harness.Eventually(t, harness.ReplyTimeout, "the session to end", func() bool { return l.Status(t).Managers == 0 })
	l.Stop(t)
	var got []string
	for _, line := range readAudit(t, file) {
		if line.Event == "rpc" {
			got = append(got, line.Operation+" "+line.Result)
			if line.DeviceSessionID == 0 || line.SessionID == 0 || line.Device != "edge-1" {
				t.Errorf("the line is %+v", line)
			}
		}
	}
	// On a shared session the gateway denies the second lock itself. Some managers
	// have asked for something to begin with.
	all := strings.Replace(strings.Join(got, ", "), "lock refused", "lock error", 1)
	if !strings.HasSuffix(all, "get-config data, lock ok, lock error, unlock ok, nonsense error, kill-session refused") {
		t.Errorf("the audit has %s", all)
	}
	audited, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"audit": string(audited), "trace": trace.String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "<password>[redacted]</password>") {
			t.Errorf("the %s has, for the secret:\n%s", name, text)
		}
	}
	if strings.Contains(trace.String(), "kill-session") {
		t.Error("the trace has what has not passed")
	}
}
