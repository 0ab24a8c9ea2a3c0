package share

import (
	"io"
	"net"
	"testing"

	"callhome-gateway/internal/netconf"
)

// benchTrunk is a link to a device that answers each rpc with size bytes.
func benchTrunk(b *testing.B, size int64) *fakeDevice {
	near, far := net.Pipe()
	f := &fakeDevice{
		conn: netconf.NewConn(near), server: netconf.NewConn(far),
		hello: &netconf.Hello{Capabilities: all, SessionID: 4}, ending: make(chan struct{}),
	}
	f.conn.SetFraming(netconf.Chunked)
	f.server.SetFraming(netconf.Chunked)
	f.work.Go(func() {
		for {
			m, err := f.server.Next()
			if err != nil {
				return
			}
			start := `<rpc-reply xmlns="` + netconf.NamespaceBase + `" message-id="` + m.Head.ID + `"><data>`
			if err := f.server.Write(&netconf.Message{Size: -1, Body: &huge{start, "</data></rpc-reply>", size}}); err != nil {
				return
			}
		}
	})
	b.Cleanup(func() {
		f.End(io.EOF)
		f.work.Wait()
	})
	return f
}

// BenchmarkShared measures an rpc on a shared session, BenchmarkTrunk the same
// without sharing.
func BenchmarkShared(b *testing.B) {
	eachSize(b, func(b *testing.B, size int64) {
		s, err := New(benchTrunk(b, size).connect, Options{}).Open()
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		taken := make(chan struct{}, 1)
		go func() {
			_ = s.Receive(func(m *netconf.Message) error {
				skim(b, m)
				taken <- struct{}{}
				return nil
			})
		}()
		for b.Loop() {
			if err := s.Send(message(rpc(1, "<get/>"))); err != nil {
				b.Fatal(err)
			}
			<-taken
		}
	})
}

func BenchmarkTrunk(b *testing.B) {
	eachSize(b, func(b *testing.B, size int64) {
		f := benchTrunk(b, size)
		replies := make(chan struct{})
		f.connect(func(m *netconf.Message) {
			skim(b, m)
			replies <- struct{}{}
		})
		for b.Loop() {
			if err := f.Send(message(rpc(1, "<get/>"))); err != nil {
				b.Fatal(err)
			}
			<-replies
		}
	})
}

func eachSize(b *testing.B, run func(*testing.B, int64)) {
	for name, size := range map[string]int64{"small": 10, "64MiB": 64 << 20} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(size)
			run(b, size)
		})
	}
}

// skim reads a message as a Writer does.
func skim(b *testing.B, m *netconf.Message) {
	w := netconf.NewWriter(io.Discard)
	w.SetFraming(netconf.Chunked)
	if err := w.Write(m); err != nil {
		b.Error(err)
	}
}
