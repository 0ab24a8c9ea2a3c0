package daemon

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"

	"github.com/hashicorp/go-hclog"
)

// logBuffer keeps a log that several goroutines write.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// await waits for a line with all of the words.
func (l *logBuffer) await(t *testing.T, words ...string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		for line := range strings.Lines(text) {
			missing := false
			for _, word := range words {
				missing = missing || !strings.Contains(line, word)
			}
			if !missing {
				return
			}
		}
	}
	t.Fatalf("no line of the log has %q:\n%s", words, &l.text)
}

// TestAHookTellsListenersApart: a real program is asked about real calls, on two
// listeners.
func TestAHookTellsListenersApart(t *testing.T) {
	c := testConfig(t)
	c.Callhome.Users = nil
	c.Callhome.Listeners = []config.Listener{{Listener: callhome.Listener{Name: "olts"}, Address: loopback, Port: freePort(t)}}
	c.Callhome.Hook = &config.Hook{Timeout: time.Minute, MaxRunning: 4, Command: []string{script(t, `
		case "$(cat)" in
		*'"listener":"olts"'*) echo '{"user":"fleet","name":"olt-1"}' ;;
		*) echo '{"reject":true,"reason":"call the port of the OLTs"}' ;;
		esac`)}}
	var log logBuffer
	h := startDaemonWith(t, c, hclog.New(&hclog.LoggerOptions{Output: &log}))
	status, err := h.Status(t.Context())
	if err != nil || len(status.Listeners) != 1 {
		t.Fatalf("%+v, %v", status.Listeners, err)
	}
	olts := status.Listeners[0]
	if olts.Name != "olts" || !olts.SSH.Listening || olts.SSH.Address == h.Callhome || olts.TLS.Enabled {
		t.Errorf("%+v", olts)
	}
	log.await(t, "a listener accepts calls", "listener=olts", olts.SSH.Address)

	startDevice(t, h.Callhome, "router")
	log.await(t, "rejected-hook", "call the port of the OLTs")
	startDevice(t, olts.SSH.Address, "olt")
	pending := h.await(t, control.StatePending)
	if pending.Name != "olt-1" {
		t.Errorf("pending: %+v", pending)
	}
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity}); err != nil {
		t.Fatal(err)
	}
	if up := h.await(t, control.StateConnected); up.Name != "olt-1" || up.User != "fleet" || up.Listener != "olts" {
		t.Errorf("connected: %+v", up)
	}
}

func TestAListenerThatIsTaken(t *testing.T) {
	c := testConfig(t)
	c.Callhome.Listeners = []config.Listener{{Listener: callhome.Listener{Name: "busy"}, Address: loopback, Port: c.Callhome.Main.Port}}
	err := Run(context.Background(), c, Options{})
	if err == nil || !strings.Contains(err.Error(), "cannot listen for calls (listener busy address and port)") {
		t.Error(err)
	}
}
