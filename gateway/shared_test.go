package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"
)

// sharedLink is the TLS link of a device that answers all it is asked.
func sharedLink(t *testing.T, h *house) *fakeLink {
	l := newFakeLink(1, nil)
	l.over = callhome.TLS
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	return l
}

func TestManagersShareADevice(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts)
	sharedLink(t, h)
	overSSH := hello(t, dial(t, opts.Port, "noc@edge-1"))
	overTLS := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	sessions := h.Devices()[0].Sessions
	if len(sessions) != 2 || sessions[0].SessionID == sessions[1].SessionID || sessions[0].SessionID == 1 {
		t.Fatalf("the sessions are %+v", sessions)
	}
	for id := range 100 {
		write(t, overSSH.conn, rpc(id, "<get/>"))
		write(t, overTLS.conn, rpc(id+1000, "<get/>"))
		for want, conn := range map[int]*netconf.Conn{id: overSSH.conn, id + 1000: overTLS.conn} {
			if got := read(t, conn); !strings.Contains(got, fmt.Sprintf(`message-id="%d"`, want)) {
				t.Fatalf("the reply to %d is %q", want, got)
			}
		}
	}
	kill := func(id uint32) string {
		write(t, overTLS.conn, rpc(1, fmt.Sprintf("<kill-session><session-id>%d</session-id></kill-session>", id)))
		return read(t, overTLS.conn)
	}
	if got := kill(1); !strings.Contains(got, "access-denied") {
		t.Errorf("killing the gateway's own session: %q", got)
	}
	if got := kill(sessions[0].SessionID); !strings.Contains(got, "<ok") {
		t.Errorf("killing the other: %q", got)
	}
	if status, said := overSSH.exit(); status != 1 || !strings.Contains(said, "another manager has ended this session") {
		t.Errorf("status %d, %q", status, said)
	}
	write(t, overTLS.conn, rpc(2, "<close-session/>"))
	if got := read(t, overTLS.conn); !strings.Contains(got, "<ok") {
		t.Errorf("closing: %q", got)
	}
	overTLS.ends()
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "killed the session") || !strings.Contains(log, "the manager ended the session") {
		t.Errorf("the log does not say how the sessions ended:\n%s", log)
	}
}

// A request that waits for another manager's lock keeps nobody: not a manager
// that gives up, and not the end of the link.
func TestWaitingForALockEndsWithTheSession(t *testing.T) {
	opts, p := tlsOptions(t)
	h := serve(t, opts)
	l := sharedLink(t, h)
	holder := hello(t, dial(t, opts.Port, "noc@edge-1"))
	write(t, holder.conn, rpc(1, "<lock><target><running/></target></lock>"))
	read(t, holder.conn)
	wait := func(c *netconf.Conn) {
		write(t, c, rpc(2, `<reboot xmlns="urn:example:device"/>`))
		eventually(t, "request", func() bool {
			for _, s := range h.Devices()[0].Sessions {
				if s.MessagesIn > s.MessagesOut {
					return true
				}
			}
			return false
		})
	}
	impatient := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	wait(impatient.conn)
	impatient.NetConn().Close()
	overSSH := hello(t, dial(t, opts.Port, "noc@edge-1"))
	wait(overSSH.conn)
	overSSH.Close()
	last := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	wait(last.conn)
	l.breaks(errReset)
	last.ends()
	if status, _ := holder.exit(); status != 1 {
		t.Errorf("the holder ended with status %d", status)
	}
	eventually(t, "end of all sessions", func() bool { return h.connectionsOf("admin") == 0 && len(h.Devices()[0].Sessions) == 0 })
}

// A manager over TLS whose request waits, for a lock or for the device, is
// noticed when it goes: what it wanted is not done when nobody wants it any
// more, and the device is there for the others.
func TestManagerThatLeavesWhileItsRequestWaits(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.StallTimeout = 300 * time.Millisecond
	h := serve(t, opts)
	var carriedOut atomic.Bool
	l := newFakeLink(1, nil)
	l.over = callhome.TLS
	l.controls = func(device *netconf.Conn) {
		defer device.Close()
		for {
			m, err := device.Next()
			if err != nil {
				return
			}
			id := m.Head.ID
			doc, err := tryRest(m)
			switch {
			case err != nil:
				return
			case strings.Contains(doc, "<get>"):
				continue // never answered
			case strings.Contains(doc, "reboot"):
				carriedOut.Store(true)
			}
			if device.WriteDocument([]byte(fmt.Sprintf(`<rpc-reply xmlns="%s" message-id="%s"><ok/></rpc-reply>`, netconf.NamespaceBase, id))) != nil {
				return
			}
		}
	}
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	holder := hello(t, dial(t, opts.Port, "noc@edge-1"))
	write(t, holder.conn, rpc(1, "<lock><target><running/></target></lock>"))
	read(t, holder.conn)
	// leave sends a request that is not answered, and goes.
	leave := func(request string, end func(*tlsManager) error) {
		t.Helper()
		m := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
		write(t, m.conn, rpc(2, request))
		eventually(t, "request", func() bool {
			return slices.ContainsFunc(h.Devices()[0].Sessions, func(s SessionStatus) bool { return s.MessagesIn > s.MessagesOut })
		})
		if err := end(m); err != nil {
			t.Fatal(err)
		}
		eventually(t, "end of the session", func() bool { return h.connectionsOf("admin") == 0 })
	}
	properly := func(m *tlsManager) error { return m.Close() }
	leave(`<reboot xmlns="urn:example:device"/>`, properly)
	leave(`<reboot xmlns="urn:example:device"/>`, func(m *tlsManager) error { return m.NetConn().Close() })
	leave(`<reboot xmlns="urn:example:device"/>`, func(m *tlsManager) error {
		_ = m.NetConn().(*net.TCPConn).SetLinger(0)
		return m.NetConn().Close()
	})
	write(t, holder.conn, rpc(2, "<unlock><target><running/></target></unlock>"))
	if got := read(t, holder.conn); !strings.Contains(got, "<ok/>") || carriedOut.Load() {
		t.Errorf("got %q; what managers wanted who have gone was done: %v", got, carriedOut.Load())
	}
	leave("<get></get>", properly)
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "has closed the connection") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// A manager that does not read what it has asked for is ended after the stall
// timeout, and the others go on.
func TestSlowManagerOnASharedDevice(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.StallTimeout = 300 * time.Millisecond
	h := serve(t, opts)
	l := newFakeLink(1, nil)
	l.over = callhome.TLS
	l.controls = func(device *netconf.Conn) {
		defer device.Close()
		for {
			m, err := device.Next()
			if err != nil {
				return
			}
			id := m.Head.ID
			doc, err := tryRest(m)
			if err != nil {
				return
			}
			size := 10
			if strings.Contains(doc, "much") {
				size = 32 << 20
			}
			answer := fmt.Sprintf(`<rpc-reply xmlns="%s" message-id="%s">%s</rpc-reply>`,
				netconf.NamespaceBase, id, strings.Repeat("x", size))
			if device.WriteDocument([]byte(answer)) != nil {
				return
			}
		}
	}
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	slow := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	other := hello(t, dial(t, opts.Port, "noc@edge-1"))
	write(t, slow.conn, rpc(1, `<get><much/></get>`))
	for range 3 {
		if got := other.get(); !strings.Contains(got, "xxx") {
			t.Errorf("the other got %q", got)
		}
	}
	eventually(t, "end of the slow one", func() bool { return h.connectionsOf("admin") == 0 })
	h.stop()
	if log := h.log.String(); !strings.Contains(log, "reads nothing") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// One that has closed its side of the connection and goes on to read gets what
// it has asked for, however long that takes.
func TestManagerThatOnlyReads(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.StallTimeout = 300 * time.Millisecond
	h := serve(t, opts)
	l := newFakeLink(1, nil)
	l.over = callhome.TLS
	l.controls = func(device *netconf.Conn) {
		defer device.Close()
		m, err := device.Next()
		if err != nil {
			return
		}
		id := m.Head.ID
		if _, err := tryRest(m); err != nil {
			return
		}
		start := fmt.Sprintf(`<rpc-reply xmlns="%s" message-id="%s"><data>`, netconf.NamespaceBase, id)
		parts := io.Reader(strings.NewReader(start))
		for range 15 {
			parts = io.MultiReader(parts, late{100 * time.Millisecond}, strings.NewReader("<part/>"))
		}
		_ = device.Write(&netconf.Message{Size: -1, Body: io.MultiReader(parts, strings.NewReader("</data></rpc-reply>"))})
		_, _ = device.Next()
	}
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	m := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	write(t, m.conn, rpc(1, "<get/>"))
	if err := errors.Join(m.CloseWrite(), m.NetConn().(*net.TCPConn).CloseWrite()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, m.conn); strings.Count(got, "<part/>") != 15 {
		t.Errorf("got %q", got)
	}
	m.ends()
}

// late is a pause in what is read.
type late struct{ by time.Duration }

func (l late) Read([]byte) (int, error) {
	time.Sleep(l.by)
	return 0, io.EOF
}
