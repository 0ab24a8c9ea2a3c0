package gateway

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/callhome"
)

func bookOf(t *testing.T, store *portMemory, first, last uint16, devices ...DeviceConfig) *portBook {
	t.Helper()
	b, err := newPortBook(&Options{Ports: PortRange{first, last}, PortStore: store, Devices: devices, Port: first + 2})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *portBook) give(t *testing.T, device string) uint16 {
	t.Helper()
	port, err := b.next(device, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.keep(port); err != nil {
		t.Fatal(err)
	}
	return port
}

// Ports 100 to 105, of which 102 is the shared endpoint and 103 configured.
func TestPortsAreKeptAndForgottenOnesComeLast(t *testing.T) {
	store := &portMemory{}
	configured := DeviceConfig{Name: "core", Port: 103}
	b := bookOf(t, store, 100, 105, configured)
	got := []uint16{b.give(t, "a"), b.give(t, "b"), b.give(t, "a")}
	if !slices.Equal(got, []uint16{100, 101, 100}) {
		t.Errorf("gave %v", got)
	}
	for _, name := range []string{"b", "a"} {
		if err := b.forget(map[string]bool{name: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // the clock tells which came first
	}
	b = bookOf(t, store, 100, 105, configured) // after a restart
	if names := b.devices(); len(names) != 0 {
		t.Errorf("%v have ports", names)
	}
	got = nil
	for _, name := range []string{"c", "d", "a", "e"} {
		got = append(got, b.give(t, name))
	}
	// The free ones, its own for one that comes back, then what is left.
	if !slices.Equal(got, []uint16{104, 105, 100, 101}) {
		t.Errorf("gave %v", got)
	}
	if _, err := b.next("f", nil); err != errNoPort {
		t.Errorf("got %v, want that none is left", err)
	}
	b = bookOf(t, store, 100, 105, configured)
	names := b.devices()
	if slices.Sort(names); !slices.Equal(names, []string{"a", "c", "d", "e"}) {
		t.Errorf("after a restart %v have ports", names)
	}
	if port := b.give(t, "d"); port != 105 {
		t.Errorf("d has %d", port)
	}
}

func TestOldestForgottenPortComesFirst(t *testing.T) {
	now := time.Now()
	store := &portMemory{ports: map[uint16]PortAssignment{
		100: {Device: "a", Port: 100, Forgotten: true, Since: now},
		101: {Device: "b", Port: 101, Forgotten: true, Since: now.Add(-time.Hour)},
	}}
	b := bookOf(t, store, 100, 101)
	if port := b.give(t, "c"); port != 101 {
		t.Errorf("gave %d", port)
	}
}

// A device whose port is configured by now has no other, and nobody gets its
// old one while there are free ones.
func TestConfiguredPortReplacesAnAssignedOne(t *testing.T) {
	store := &portMemory{ports: map[uint16]PortAssignment{100: {Device: "a", Port: 100}}}
	b := bookOf(t, store, 100, 101, DeviceConfig{Name: "a", Port: 7})
	if names := b.devices(); len(names) != 0 {
		t.Errorf("%v have assigned ports", names)
	}
	if port := b.give(t, "b"); port != 101 {
		t.Errorf("gave %d", port)
	}
}

// portRange returns a range of n ports that are free at present.
func portRange(t *testing.T, n int) PortRange {
	t.Helper()
	for range 100 {
		first := freePort(t)
		var open []net.Listener
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", int(first)+i))
			if err != nil {
				break
			}
			open = append(open, l)
		}
		for _, l := range open {
			l.Close()
		}
		if len(open) == n {
			return PortRange{first, first + uint16(n) - 1}
		}
	}
	t.Fatal("no free range")
	return PortRange{}
}

func TestAssignedEndpoints(t *testing.T) {
	opts := nocOptions(t)
	opts.Ports, opts.PortStore = portRange(t, 3), &portMemory{}
	taken, err := net.Listen("tcp", address(opts.Ports.First))
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, opts).with(t, "edge-1")
	port := h.portOf("edge-1")
	if port != opts.Ports.First+1 {
		t.Errorf("edge-1 has port %d, and %d is taken", port, opts.Ports.First)
	}
	if got := hello(t, dial(t, port, "noc")).get(); !strings.Contains(got, "<device>edge-1<") {
		t.Errorf("got %q", got)
	}
	h.stop()
	taken.Close()

	// After a restart the endpoint is there before the device is.
	sets := opts.PortStore.(*portMemory).sets
	h = serve(t, opts)
	ch := openChannel(t, dial(t, port, "noc"))
	ch.ask("subsystem", "netconf")
	if _, said := ch.exit(); !strings.Contains(said, "edge-1 is not connected") {
		t.Errorf("said %q", said)
	}
	if got := h.Devices(); len(got) != 1 || got[0].Port != port || got[0].Link != nil {
		t.Errorf("the devices are %+v", got)
	}
	if n := opts.PortStore.(*portMemory).sets; n != sets {
		t.Error("what was stored is stored again")
	}
	if err := h.AddDevice("edge-2"); err != nil {
		t.Error(err)
	}
	if p := h.portOf("edge-2"); p != opts.Ports.First && p != opts.Ports.Last {
		t.Errorf("edge-2 has port %d", p)
	}
	if err := h.AddDevice("Edge 3"); err == nil {
		t.Error("a device of that name was added")
	}
	h.stop()

	// Its port is taken when the gateway starts: it gets another.
	taken, err = net.Listen("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h = serve(t, opts)
	if p := h.portOf("edge-1"); p == port || p < opts.Ports.First || p > opts.Ports.Last {
		t.Errorf("edge-1 has port %d", p)
	}
	h.stop()
	if !strings.Contains(h.log.String(), "another program has a port") {
		t.Error("the log does not say so")
	}
}

// A device that is forgotten while its endpoint opens has no port afterwards,
// nor after a restart.
func TestForgetWhileTheEndpointOpens(t *testing.T) {
	store := &portMemory{}
	opts := nocOptions(t)
	first := freePort(t)
	opts.Ports, opts.PortStore = PortRange{first, first}, store
	h := serve(t, opts)
	d := h.deviceNamed("edge-1")
	h.Forget("edge-1")
	if err := h.openEndpoints(d); err != nil {
		t.Fatal(err)
	}
	if d.endpointNow(callhome.SSH) != nil || h.ports.has("edge-1") || !store.ports[first].Forgotten {
		t.Errorf("the port is stored as %+v", store.ports[first])
	}
}
