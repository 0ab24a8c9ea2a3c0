package share

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"weak"

	"callhome-gateway/internal/netconf"
)

// huge is a document of which the middle is made up as it is read.
type huge struct {
	start, end string
	left       int64
}

func (h *huge) Read(p []byte) (int, error) {
	if h.start != "" {
		n := copy(p, h.start)
		h.start = h.start[n:]
		return n, nil
	}
	if h.left > 0 {
		n := int(min(h.left, int64(len(p))))
		for i := range p[:n] {
			p[i] = 'x'
		}
		h.left -= int64(n)
		return n, nil
	}
	n := copy(p, h.end)
	if h.end = h.end[n:]; h.end == "" {
		return n, io.EOF
	}
	return n, nil
}

// TestAHugeReplyTakesNoMemory: what is in use while a reply of 256 MiB passes,
// and what is left behind.
func TestAHugeReplyTakesNoMemory(t *testing.T) {
	const size, limit = 256 << 20, 4 << 20
	_, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
		if r.Op.Local != "get" {
			return ok
		}
		_ = f.server.Write(&netconf.Message{Size: -1, Body: &huge{"<rpc-reply" + r.Attributes + "><data>", "</data></rpc-reply>", size}})
		return ""
	})
	a := open(t, d)
	a.want("<lock><target><running/></target></lock>", ok) // all that is made once is made
	before := heap(t)
	sent := a.send("<get/>")
	m, err := a.Next()
	if err != nil || <-sent != nil {
		t.Fatal(err)
	}
	piece, total, most := make([]byte, 64<<10), int64(0), uint64(0)
	for next := int64(0); err == nil; {
		var n int
		n, err = m.Body.Read(piece)
		if total += int64(n); total >= next {
			most, next = max(most, heap(t)), next+size/8
		}
	}
	if err != io.EOF || total < size {
		t.Errorf("read %d bytes, %v", total, err)
	}
	if most > before+limit {
		t.Errorf("%d KiB in use before, %d KiB while the reply passed", before>>10, most>>10)
	}
}

func heap(t *testing.T) uint64 {
	t.Helper()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func TestAHugeRequest(t *testing.T) {
	const size = 8 << 20
	_, d := newFake(t, Options{}, all, sayOK)
	a := open(t, d)
	a.want("<edit-config><target><running/></target><config>"+strings.Repeat("x", size)+"</config></edit-config>", ok)
}

// What a manager's connection has in memory goes with it: the device may be
// idle for long after.
func TestNothingIsKeptOfASessionThatHasEnded(t *testing.T) {
	_, d := newFake(t, Options{}, all, sayOK)
	connection := newConnection(t, d)
	for range 100 {
		runtime.GC()
		if connection.Value() == nil {
			return
		}
	}
	t.Error("it is still there")
}

// newConnection is of a manager that does one rpc and goes.
func newConnection(t *testing.T, d *Device) weak.Pointer[[1 << 20]byte] {
	s, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	connection := new([1 << 20]byte)
	taken, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Receive(func(m *netconf.Message) error {
			defer close(taken)
			_, err := io.ReadFull(m.Body, connection[:m.Size])
			return err
		})
	}()
	if err := s.Send(message(rpc(1, "<get/>"))); err != nil {
		t.Fatal(err)
	}
	<-taken
	_ = s.Close()
	<-ended
	<-s.cleaned
	return weak.Make(connection)
}
