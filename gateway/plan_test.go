package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callhome-gateway/callhome"
)

func closedPort(t *testing.T, port uint16) {
	t.Helper()
	if conn, err := net.Dial("tcp", address(port)); err == nil {
		conn.Close()
		t.Errorf("port %d is open", port)
	}
}

// Two devices change their ports without a moment in which one is closed.
func TestReloadSwapsPorts(t *testing.T) {
	opts := nocOptions(t)
	a, b := freePort(t), freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: a}, {Name: "edge-2", Port: b}}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	first, second := hello(t, dial(t, a, "noc")), hello(t, dial(t, b, "noc"))
	shared := hello(t, dial(t, opts.Port, "noc@edge-1"))
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: b}, {Name: "edge-2", Port: a}}
	h.reload(opts, 2)
	endedFor(t, "edge-1", first, "this port is no longer the endpoint of device edge-1 over SSH")
	endedFor(t, "edge-2", second, "device edge-2")
	lives(t, "a session on the shared port", shared)
	for port, device := range map[uint16]string{a: "edge-2", b: "edge-1"} {
		if got := hello(t, dial(t, port, "noc")).get(); !strings.Contains(got, "<device>"+device+"<") {
			t.Errorf("port %d: %s", port, got)
		}
	}
	if got := h.Devices(); got[0].Port != b || got[1].Port != a {
		t.Errorf("the ports are %d and %d", got[0].Port, got[1].Port)
	}
}

// A socket goes from SSH to TLS, from a device to all of them, and back.
func TestReloadHandsSocketsOver(t *testing.T) {
	opts, p := tlsOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts).with(t, "edge-1")
	overSSH := hello(t, dial(t, opts.Port, "noc@edge-1"))
	overTLS := dialTLS(t, opts.TLSPort, "edge-1", p.noc).open()
	other := opts
	other.Port, other.TLSPort = opts.TLSPort, opts.Port
	h.reload(other, 2)
	endedFor(t, "SSH", overSSH, "this port is no longer the shared endpoint over SSH")
	overTLS.ends()
	lives(t, "over SSH", hello(t, dial(t, other.Port, "noc@edge-1")))
	dialTLS(t, other.TLSPort, "edge-1", p.noc).open().get()

	other.Port, other.TLSPort, other.Domain, other.TLS = 0, 0, "", nil
	other.Devices = []DeviceConfig{{Name: "edge-1", Port: opts.TLSPort}}
	h.reload(other, 2)
	lives(t, "on the device's", hello(t, dial(t, opts.TLSPort, "noc")))
	closedPort(t, opts.Port)
	h.reload(opts, 1)
	lives(t, "over SSH again", hello(t, dial(t, opts.Port, "noc@edge-1")))
}

// Assigned ports follow the range, and make way for configured ones.
func TestAssignedPortsFollowAReload(t *testing.T) {
	store := &portMemory{}
	opts := nocOptions(t)
	all := portRange(t, 6)
	opts.Ports, opts.PortStore = PortRange{all.First, all.First + 2}, store
	h := serve(t, opts).with(t, "edge-1")
	first := h.portOf("edge-1")
	h.with(t, "edge-2")
	second := h.portOf("edge-2")
	a, b := hello(t, dial(t, first, "noc")), hello(t, dial(t, second, "noc"))

	// The port of the one is configured for a third device by now.
	opts.Devices = []DeviceConfig{{Name: "edge-3", Port: first}}
	h.reload(opts, 1)
	endedFor(t, "edge-1", a, "no longer the endpoint of device edge-1")
	lives(t, "edge-2", b)
	moved := h.portOf("edge-1")
	if moved == first || moved == second || moved < opts.Ports.First || moved > opts.Ports.Last {
		t.Errorf("edge-1 has moved from port %d to %d", first, moved)
	}
	if got := store.ports[moved]; got.Device != "edge-1" || got.Forgotten {
		t.Errorf("stored is %+v", got)
	}

	// Another range.
	opts.Ports = PortRange{all.First + 3, all.Last}
	h.reload(opts, 1)
	endedFor(t, "edge-2", b, "no longer the endpoint of device edge-2")
	for _, name := range []string{"edge-1", "edge-2"} {
		if port := h.portOf(name); port < opts.Ports.First || port > opts.Ports.Last {
			t.Errorf("%s has port %d", name, port)
		}
	}
	closedPort(t, second)
	now := map[string]uint16{"edge-1": h.portOf("edge-1"), "edge-2": h.portOf("edge-2")}

	// None, and the same again.
	none := opts
	none.Ports = PortRange{}
	h.reload(none, 0)
	if e := h.known("edge-1").endpointNow(callhome.SSH); e != nil {
		t.Errorf("edge-1 has port %d without a range", e.port)
	}
	h.reload(opts, 0)
	h.stop()
	again := serve(t, opts)
	for name, port := range now {
		if h.portOf(name) != port || again.portOf(name) != port {
			t.Errorf("%s has port %d, and %d after a restart, want %d", name, h.portOf(name), again.portOf(name), port)
		}
	}
}

// Ports that overlap with those of the old address make room for the new ones,
// and come back when one of them cannot be had.
func TestAddressThatCannotBeHad(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}}
	taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", opts.Devices[0].Port))
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, opts).with(t, "edge-1")
	s := hello(t, dial(t, opts.Devices[0].Port, "noc"))
	wide := opts
	wide.Address = netip.MustParseAddr("0.0.0.0")
	if _, err := h.Reload(wide, nothingKnown); err == nil || !strings.Contains(err.Error(), "device edge-1 over SSH") {
		t.Errorf("error %v", err)
	}
	lives(t, "a session on the old address", s)
	hello(t, dial(t, opts.Port, "noc@edge-1")).Close()
	hello(t, dial(t, opts.Devices[0].Port, "noc")).Close()
	taken.Close()
	h.reload(wide, 0)
	lives(t, "a session on the old address", s)
	for _, port := range []uint16{opts.Port, opts.Devices[0].Port} {
		dialWith(t, port, "127.0.0.3", password(map[bool]string{true: "noc@edge-1", false: "noc"}[port == opts.Port], "right"))
	}
}

// silentListener is a socket that nobody connects to.
type silentListener struct{ closed chan struct{} }

func (l silentListener) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l silentListener) Close() error {
	close(l.closed)
	return nil
}

func (l silentListener) Addr() net.Addr { return &net.TCPAddr{} }

// Of ten thousand ports a reload opens and closes only those that change.
func TestReloadOfManyDevices(t *testing.T) {
	const many = 10000
	opts := nocOptions(t)
	var opened atomic.Int64
	opts.Listen = func(netip.Addr, uint16) (net.Listener, error) {
		opened.Add(1)
		return silentListener{make(chan struct{})}, nil
	}
	opts.Ports, opts.PortStore = PortRange{40000, 40000 + many}, &portMemory{}
	for i := range many / 2 {
		opts.Devices = append(opts.Devices, DeviceConfig{Name: fmt.Sprintf("edge-%d", i), Port: uint16(20000 + i)})
	}
	h := serve(t, opts)
	for i := range many / 2 {
		if err := h.AddDevice(fmt.Sprintf("dev-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	before := opened.Load()
	begin := time.Now()
	h.reload(opts, 0)
	t.Logf("nothing changed: %v", time.Since(begin))
	opts.Devices = slices.Clone(opts.Devices)
	opts.Devices[7].Port = 30000
	opts.Devices = opts.Devices[:many/2-1]
	begin = time.Now()
	h.reload(opts, 0)
	t.Logf("one moved, one removed: %v", time.Since(begin))
	if n := opened.Load() - before; n != 1 {
		t.Errorf("%d ports were opened", n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.sockets); n != many {
		t.Errorf("there are %d ports", n)
	}
}

// A device that is forgotten has none of the ports that it ever had, not even when
// the range is again what it was.
func TestForgottenDevicesHaveNoPortOfAnyRange(t *testing.T) {
	store := &portMemory{}
	opts := nocOptions(t)
	all := portRange(t, 4)
	opts.Ports, opts.PortStore = PortRange{all.First, all.First + 1}, store
	opts.Devices = []DeviceConfig{{Name: "edge-1"}}
	h := serve(t, opts).with(t, "edge-1")
	h.portOf("edge-1")
	other := opts
	other.Ports = PortRange{all.First + 2, all.Last}
	h.reload(other, 0)
	other.Devices = nil
	h.reload(other, 0)
	opts.Devices = nil
	h.reload(opts, 0)
	if h.ports.has("edge-1") {
		t.Error("a device that is gone has a port")
	}
	for port, a := range store.ports {
		if !a.Forgotten {
			t.Errorf("port %d is still that of %s", port, a.Device)
		}
	}
}
