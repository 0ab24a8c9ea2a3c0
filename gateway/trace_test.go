package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
)

// tracing is a trace that runs, and what it has told.
type tracing struct {
	t      *testing.T
	cancel func()
	err    chan error
	hold   chan struct{} // while not nil, take waits for it to be closed

	mu   sync.Mutex
	told []TraceRecord
}

func trace(t *testing.T, g *Gateway, device string, tap *tap, hold chan struct{}) *tracing {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tr := &tracing{t: t, cancel: cancel, err: make(chan error, 1), hold: hold}
	go func() {
		tr.err <- g.trace(ctx, device, tap, func(r TraceRecord) error {
			tr.mu.Lock()
			tr.told = append(tr.told, r)
			tr.mu.Unlock()
			if hold != nil {
				<-hold
			}
			return nil
		})
	}()
	tr.await(1)
	return tr
}

func (tr *tracing) await(n int) {
	tr.t.Helper()
	eventually(tr.t, fmt.Sprintf("%d records", n), func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.told) >= n
	})
}

// count returns how many messages were told, and how many were said to be lost.
func (tr *tracing) count() (told, lost int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, r := range tr.told {
		n := 0
		if r.Event == "" {
			told++
		} else if _, err := fmt.Sscanf(r.Event, "%d messages are missing here", &n); err == nil {
			lost += n
		}
	}
	return told, lost
}

// end ends the trace and returns what it has told, a line for each.
func (tr *tracing) end() (lines []string) {
	tr.t.Helper()
	tr.cancel()
	if err := <-tr.err; err != nil {
		tr.t.Error(err)
	}
	for _, r := range tr.told {
		way := "to"
		if r.FromDevice {
			way = "from"
		}
		if r.InPlace {
			way = "for"
		}
		line := fmt.Sprintf("%s %s %s %s %s", way, r.Manager, r.Kind, r.Operation, r.MessageID)
		if r.Event != "" {
			line = r.Event
		}
		if r.Partial {
			line += " partial"
		}
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestTrace(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts)
	h.AddDevice("edge-1")
	tr := trace(t, h.Gateway, "edge-1", newTap(maxTraced, maxTraceMemory), nil)
	l := sharedLink(t, h)
	first := hello(t, dial(t, opts.Port, "noc@edge-1"))
	lock := "<lock><target><running/></target></lock>"
	write(t, first.conn, rpc(1, lock))
	read(t, first.conn)
	other := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	write(t, other.conn, rpc(2, lock))
	read(t, other.conn)
	write(t, other.conn, rpc(3, "<kill-session><session-id>x</session-id></kill-session>")) // does not pass
	read(t, other.conn)
	tr.await(8)
	l.breaks(errReset)
	tr.await(9)
	lines := tr.end()
	for i, want := range []string{
		"the device is away, and has not called yet", "the device is connected over tls since ",
		"from noc hello", "to noc rpc lock 1", "from noc rpc-reply 1", "from admin hello", "to admin rpc lock 2", "for admin rpc-reply 2",
		"the device is away since ",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("record %d is %q, not %q", i, lines[i], want)
		}
	}
	if r := tr.told[3]; string(r.Body) != rpc(1, lock) || r.Target != "running" || r.Size != int64(len(r.Body)) || r.DeviceSessionID != 1 || r.SessionID == 1 {
		t.Errorf("the request is %+v", r)
	}
	if r := tr.told[4]; !strings.Contains(string(r.Body), "<ok/>") || r.Size != int64(len(r.Body)) {
		t.Errorf("the reply is %+v", r)
	}
	if r := tr.told[1]; !strings.Contains(string(r.Body), "<session-id>1</session-id>") || !strings.Contains(r.Event, "session 1 is the gateway's own") {
		t.Errorf("the device is %+v", r)
	}
	if h.known("edge-1").tap.Load() != nil {
		t.Error("the trace goes on")
	}
}

func TestTraceOfAnOwnSessionCutsLongMessages(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts)
	l := bulkyLink(t, func(uint32) int { return 1 << 20 })
	h.attach("edge-1", l)
	tr := trace(t, h.Gateway, "edge-1", newTap(100, maxTraceMemory), nil)
	c := hello(t, dial(t, opts.Port, "noc@edge-1"))
	write(t, c.conn, rpc(1, "<get><x>"+strings.Repeat("y", 1000)+"</x></get>"))
	if len(read(t, c.conn)) < 1<<20 {
		t.Error("the manager has not got all")
	}
	tr.await(4)
	tr.end()
	for _, r := range tr.told[2:] {
		if len(r.Body) != 100 || r.Size < 1000 || r.DeviceSessionID != r.SessionID {
			t.Errorf("%d bytes of %d, session %d", len(r.Body), r.Size, r.SessionID)
		}
	}
}

// A trace that nobody takes loses messages, as wholes, and holds up nobody.
func TestTraceThatIsNotTakenLosesMessages(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	hold := make(chan struct{})
	tr := trace(t, h.Gateway, "edge-1", newTap(maxTraced, 64<<10), hold)
	c := hello(t, dial(t, opts.Port, "noc@edge-1"))
	const requests = 200
	for range requests {
		c.get()
	}
	close(hold)
	eventually(t, "word of what is lost", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return strings.Contains(tr.told[len(tr.told)-1].Event, "are missing here")
	})
	c.get()
	c.get()
	messages, told, lost := 1+2*(requests+2), 0, 0
	eventually(t, "account of all messages", func() bool {
		told, lost = tr.count()
		return told+lost == messages
	})
	if tr.end(); lost == 0 || told < 20 {
		t.Errorf("%d are told and %d lost, of %d", told, lost, messages)
	}
	for _, r := range tr.told {
		if r.Size != int64(len(r.Body)) && r.Event == "" {
			t.Errorf("%d bytes of %d", len(r.Body), r.Size)
		}
	}
}

func TestTraceOfHalfAMessage(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	tap := newTap(maxTraced, maxTraceMemory)
	r.relay.tap.Store(tap)
	r.send(r.device, notification)
	read(t, r.manager)
	doc := reply(1, "<data>")
	half := strings.TrimSuffix(doc, "</rpc-reply>")
	r.async(func() {
		_ = r.device.Write(&netconf.Message{Size: -1, Body: io.MultiReader(strings.NewReader(half), broken{})})
		r.device.Close()
	})
	_, _ = tryRead(r.manager)
	r.end()
	var told []TraceRecord
	if err := tap.empty(func(r TraceRecord) error { told = append(told, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0].Partial || string(told[0].Body) != notification || told[0].Kind != "notification" ||
		!told[1].Partial || string(told[1].Body) != half {
		t.Errorf("told are %+v", told)
	}
	if tap.left != maxTraceMemory {
		t.Errorf("%d bytes of memory are left", tap.left)
	}
}

func TestWhatCannotBeTraced(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	nothing := func(TraceRecord) error { return nil }
	if err := h.Trace(t.Context(), "edge-2", nothing); !errors.Is(err, auth.ErrUnknownDevice) {
		t.Error(err)
	}
	tr := trace(t, h.Gateway, "edge-1", newTap(maxTraced, maxTraceMemory), nil)
	if err := h.Trace(t.Context(), "edge-1", nothing); !errors.Is(err, ErrTraced) {
		t.Error(err)
	}
	h.Forget("edge-1")
	if err := <-tr.err; !errors.Is(err, errNoLongerHere) {
		t.Error(err)
	}
	h.with(t, "edge-3")
	if err := h.Trace(t.Context(), "edge-3", func(TraceRecord) error { return errReset }); !errors.Is(err, errReset) {
		t.Error(err)
	}
}

// What was taken is not held on to while more waits behind it.
func TestTakenTraceRecordsAreLetGo(t *testing.T) {
	tap := newTap(maxTraced, 1<<20)
	for range 4 {
		tap.tell(TraceRecord{Body: make([]byte, 10)})
	}
	queue := tap.queue
	for range 3 {
		if r, _, ok := tap.next(); !ok || len(r.Body) != 10 {
			t.Errorf("%t, %v", ok, r)
		}
	}
	for i, r := range queue {
		if kept := r.Body != nil; kept != (i == 3) {
			t.Errorf("record %d is kept: %t", i, kept)
		}
	}
}
