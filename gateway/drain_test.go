package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// drains starts a drain, and returns what is closed when it is over, once it has
// begun.
func (h *house) drains(ctx context.Context) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		h.Drain(ctx)
	}()
	<-h.accepting.Done()
	return over
}

func TestDrain(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.Wait = time.Minute
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}, {Name: "edge-2"}}
	h := serve(t, opts).with(t, "edge-1")
	client := dial(t, opts.Port, "noc@edge-1")
	s, last := hello(t, client), dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	waiting, asked := h.waits("noc@edge-2")

	over := h.drains(t.Context())
	<-asked
	endedFor(t, "who waits", waiting, "the gateway is stopping")
	var refused *ssh.OpenChannelError
	if _, _, err := client.OpenChannel("session", nil); !errors.As(err, &refused) || !strings.Contains(refused.Message, "the gateway is stopping") {
		t.Errorf("another channel: %v", err)
	}
	eventually(t, "end of the endpoints", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.sockets) == 0
	})
	for _, port := range []uint16{opts.Port, opts.TLSPort, opts.Devices[0].Port} {
		closedPort(t, port)
	}
	lives(t, "a session that runs", s)
	if _, err := h.Reload(opts, nothingKnown); err != errStopping {
		t.Errorf("a reload: %v", err)
	}
	if err := h.AddDevice("edge-3"); err != nil {
		t.Errorf("another device: %v", err)
	}
	write(t, s.conn, rpc(2, "<close-session/>"))
	s.exit()
	select {
	case <-over:
		t.Error("the drain is over, and a session runs")
	default:
	}
	if got := last.get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("over TLS: %q", got)
	}
	last.Close()
	<-over
}

func TestDrainEndsInTime(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	s := hello(t, dial(t, opts.Port, "noc@edge-1"))
	ctx, cancel := context.WithCancel(t.Context())
	over := h.drains(ctx)
	cancel()
	<-over
	lives(t, "the session", s)
	h.stop()
	endedFor(t, "the session", s, "the gateway is stopping")
	h.Drain(t.Context()) // too late, and does not wait
}
