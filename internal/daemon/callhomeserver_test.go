package daemon

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
)

func answers(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func TestCallsAreAcceptedAndNotAsAnOperatorSays(t *testing.T) {
	c := testConfig(t)
	c.Enabled = false
	configured := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.Callhome.Main.Port)))
	h := startDaemon(t, c)
	s, err := h.CallhomeServer(t.Context())
	if err != nil || s.Running || s.Enabled || !s.Since.IsZero() || len(s.Listeners) != 1 || s.Listeners[0].Address != configured || s.Listeners[0].Listening {
		t.Fatalf("before: %+v, %v", s, err)
	}
	if s, err = h.StartCallhome(t.Context(), control.StartRequest{}); err != nil || !s.Running || s.Enabled || s.Since.IsZero() || !s.Listeners[0].Listening {
		t.Fatalf("started: %+v, %v", s, err)
	}
	startDevice(t, configured, "device")
	pending := h.await(t, control.StatePending)
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	up := h.await(t, control.StateConnected)

	port := freePort(t)
	if s, err = h.StartCallhome(t.Context(), control.StartRequest{Port: &port}); err != nil || answers(configured) || !answers(s.Listeners[0].Address) {
		t.Errorf("moved: %+v, %v", s, err)
	}
	if s, err = h.StopCallhome(t.Context()); err != nil || s.Running || answers(net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))) {
		t.Errorf("stopped: %+v, %v", s, err)
	}
	if still, err := h.Device(t.Context(), "edge-1"); err != nil || still.State != control.StateConnected || !still.Since.Equal(up.Since) {
		t.Errorf("its link went with the listener: %+v, %v", still, err)
	}
}

func TestAStartThatCannotBeChangesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port, none := uint16(taken.Addr().(*net.TCPAddr).Port), uint16(0)
	h := startDaemon(t, testConfig(t))
	for name, c := range map[string]struct {
		request control.StartRequest
		want    string
	}{
		"a port that is taken": {control.StartRequest{Port: &port}, "cannot listen for calls (callhome address and port)"},
		"no address":           {control.StartRequest{Address: "here"}, `"here" is not an IP address`},
		"no port":              {control.StartRequest{Port: &none}, "no port for calls"},
	} {
		if _, err := h.StartCallhome(t.Context(), c.request); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if s, err := h.CallhomeServer(t.Context()); err != nil || !s.Since.IsZero() || !answers(h.Callhome) {
			t.Errorf("%s: it is not as it was: %+v, %v", name, s, err)
		}
	}
	if _, err := h.StartCallhome(t.Context(), control.StartRequest{Address: "here"}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("%v is no mistake of the operator", err)
	}
}

// TestASocketForCallsStaysOpenUnderAnotherName tries the steps between listeners
// that a reload makes.
func TestASocketForCallsStaysOpenUnderAnotherName(t *testing.T) {
	c := testConfig(t)
	second := freePort(t)
	c.Callhome.Listeners = []config.Listener{{Listener: callhome.Listener{Name: "olts"}, Address: loopback, Port: second}}
	d, h := startInside(t, c)
	before := d.callListeners()

	swapped := *c
	swapped.Callhome.Main.Port, swapped.Callhome.Main.TLSPort = 0, c.Callhome.Main.Port
	swapped.Callhome.Listeners = []config.Listener{{Listener: callhome.Listener{Name: "onus"}, Address: loopback, Port: second}}
	change, err := d.changeCalls(&swapped, callOrder{})
	if err != nil {
		t.Fatal(err)
	}
	change.commit()
	after := d.callListeners()
	if len(after) != 2 || after[0].socket != before[0].socket || after[1].socket != before[1].socket || after[0].of.Transport != callhome.TLS || after[1].of.Name != "onus" {
		t.Errorf("%+v, then %+v", before, after)
	}
	if !before[0].lease.ended.Load() || after[0].lease.ended.Load() {
		t.Error("the old use of a socket goes on, or the new one does not")
	}

	wide := swapped
	wide.Callhome.Main.Address = netip.IPv4Unspecified()
	if change, err = d.changeCalls(&wide, callOrder{}); err != nil {
		t.Fatal("a listener that goes does not make way:", err)
	}
	change.undo()
	if !answers(h.Callhome) || d.callListeners()[0].at.Addr() != loopback {
		t.Errorf("what made way is not back: %+v", d.callListeners())
	}
	if change, err = d.changeCalls(&wide, callOrder{}); err != nil {
		t.Fatal(err)
	}
	change.commit()
	if at := d.callAddress("", callhome.TLS); !strings.HasPrefix(at, "0.0.0.0:") || !answers(h.Callhome) {
		t.Errorf("it listens on %s", at)
	}
}
