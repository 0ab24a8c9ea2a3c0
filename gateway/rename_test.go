package gateway

import (
	"errors"
	"strings"
	"testing"

	"callhome-gateway/auth"
)

func TestRename(t *testing.T) {
	store := &portMemory{}
	opts := nocOptions(t)
	opts.Ports, opts.PortStore = portRange(t, 3), store
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	port := h.portOf("edge-1")
	own, shared := hello(t, dial(t, port, "noc")), hello(t, dial(t, opts.Port, "noc@edge-1"))
	other := hello(t, dial(t, opts.Port, "noc@edge-2"))
	socket := h.sockets[port]
	if err := h.Rename("Edge-1", "edge-9"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*channel{own, shared} {
		endedFor(t, "edge-1", s, "device edge-1 is called edge-9 now")
	}
	lives(t, "edge-2", other)
	if h.sockets[port] != socket || h.portOf("edge-9") != port {
		t.Error("the port was opened again")
	}
	ch := openChannel(t, dial(t, port, "noc"))
	ch.ask("subsystem", "netconf")
	endedFor(t, "edge-9", ch, "device edge-9 is not connected")
	h.with(t, "edge-9") // which calls again
	if got := hello(t, dial(t, port, "noc")).get(); !strings.Contains(got, "<device>edge-9<") {
		t.Errorf("then got %q", got)
	}
	h.reload(opts, 0)
	if h.portOf("edge-9") != port || h.ports.has("edge-1") {
		t.Errorf("after a reload edge-9 has port %d", h.portOf("edge-9"))
	}
	for _, c := range []struct {
		from, to string
		want     error
	}{{"edge-1", "edge-8", auth.ErrUnknownDevice}, {"edge-9", "edge-2", auth.ErrNameTaken}, {"edge-9", "no name", auth.ErrBadName}} {
		if err := h.Rename(c.from, c.to); !errors.Is(err, c.want) {
			t.Errorf("%s as %s: %v", c.from, c.to, err)
		}
	}
}

// The configuration follows: a reload that names the device by its new name ends
// nothing more.
func TestRenameOfAConfiguredDevice(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t), Sessions: SessionsShared}}
	h := serve(t, opts).with(t, "edge-1")
	if err := h.Rename("edge-1", "edge-2"); err != nil {
		t.Fatal(err)
	}
	h.with(t, "edge-2")
	s := hello(t, dial(t, opts.Devices[0].Port, "noc"))
	if got := h.Devices(); len(got) != 1 || got[0].Name != "edge-2" || got[0].Mode != SessionsShared {
		t.Errorf("the devices are %+v", got)
	}
	opts.Devices = []DeviceConfig{{Name: "edge-2", Port: opts.Devices[0].Port, Sessions: SessionsShared}}
	h.reload(opts, 0)
	lives(t, "edge-2", s)
}

// The name of a device that a manager may not reach is not told to it.
func TestRenameAwayFromAManager(t *testing.T) {
	opts := nocOptions(t)
	opts.Managers[0].Devices = []string{"edge-*"}
	h := serve(t, opts).with(t, "edge-1")
	c := hello(t, dial(t, opts.Port, "noc@edge-1"))
	if err := h.Rename("edge-1", "customer-7"); err != nil {
		t.Fatal(err)
	}
	if status, said := c.exit(); status != 1 || !strings.Contains(said, "device edge-1 has another name now") || strings.Contains(said, "customer-7") {
		t.Errorf("status %d, %q", status, said)
	}
}
