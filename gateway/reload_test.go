package gateway

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/ssh"
)

func nothingKnown(string) bool { return false }

// reload gives the gateway other options, which it has to take.
func (h *house) reload(o Options, ended int) {
	h.t.Helper()
	n, err := h.Reload(o, nothingKnown)
	if err != nil {
		h.t.Fatal(err)
	}
	if n != ended {
		h.t.Errorf("the reload has ended %d sessions, want %d", n, ended)
	}
}

// lives reports whether the session still answers.
func lives(t *testing.T, who string, c *channel) {
	t.Helper()
	if got := c.get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("%s got %q", who, got)
	}
}

// endedFor reports a session that has not ended with that sentence.
func endedFor(t *testing.T, who string, c *channel, want string) {
	t.Helper()
	if status, said := c.exit(); status != 1 || !strings.Contains(said, want) {
		t.Errorf("%s: status %d, %q, want %q", who, status, said, want)
	}
}

func TestReloadThatChangesNothing(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}}
	h := serve(t, opts).with(t, "edge-1")
	s, own := hello(t, dial(t, opts.Port, "noc@edge-1")), hello(t, dial(t, opts.Devices[0].Port, "noc"))
	listener := h.sockets[opts.Port].listener
	for range 3 {
		h.reload(opts, 0)
	}
	lives(t, "a session on the shared port", s)
	lives(t, "one on the device's", own)
	if h.sockets[opts.Port].listener != listener {
		t.Error("a port was opened again")
	}
}

// A reload that fails changes nothing, even if it is the last of many ports that
// cannot be had.
func TestBadReloadChangesNothing(t *testing.T) {
	opts := nocOptions(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}, {Name: "edge-2"}}
	opts.Ports, opts.PortStore = portRange(t, 3), &portMemory{}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	assigned := h.portOf("edge-2")
	sessions := []*channel{
		hello(t, dial(t, opts.Port, "noc@edge-1")), hello(t, dial(t, opts.Devices[0].Port, "noc")), hello(t, dial(t, assigned, "noc")),
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := uint16(taken.Addr().(*net.TCPAddr).Port)
	var fresh []uint16
	var many []DeviceConfig
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		fresh = append(fresh, freePort(t))
		many = append(many, DeviceConfig{Name: name, Port: fresh[len(fresh)-1]})
	}
	sets := opts.PortStore.(*portMemory).sets
	for want, change := range map[string]func(*Options){
		"address already in use": func(o *Options) {
			o.Port, o.Managers, o.Address = fresh[4], nil, netip.MustParseAddr("0.0.0.0")
			o.Ports = PortRange{}
			o.Devices = append(slices.Clone(many[:4]), DeviceConfig{Name: "edge-1", Port: opts.Port}, DeviceConfig{Name: "z", Port: busy})
		},
		"no device name": func(o *Options) { o.Devices = append(many, DeviceConfig{Name: "A b"}) },
		"defined twice":  func(o *Options) { o.Managers = append(slices.Clone(o.Managers), o.Managers[0]) },
		"no host key":    func(o *Options) { o.HostKeys = nil },
	} {
		bad := opts
		change(&bad)
		if _, err := h.Reload(bad, nothingKnown); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
		for _, s := range sessions {
			lives(t, "after "+want, s)
		}
		for _, port := range fresh {
			closedPort(t, port)
		}
	}
	for _, port := range []uint16{opts.Devices[0].Port, assigned} {
		hello(t, dial(t, port, "noc")).Close()
	}
	hello(t, dial(t, opts.Port, "admin@edge-1")).Close()
	if got := h.Devices(); len(got) != 2 || got[1].Port != assigned {
		t.Errorf("the devices are %+v", got)
	}
	if n := opts.PortStore.(*portMemory).sets; n != sets {
		t.Error("assignments were stored")
	}
}

// A device that the configuration no longer names stays if it is known otherwise.
func TestReloadKeepsDevicesThatAreKnown(t *testing.T) {
	opts := nocOptions(t)
	opts.Ports, opts.PortStore = portRange(t, 3), &portMemory{}
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: freePort(t)}, {Name: "edge-2", Port: freePort(t)}}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	stays, goes := hello(t, dial(t, opts.Port, "noc@edge-1")), hello(t, dial(t, opts.Port, "noc@edge-2"))
	var asked []string
	opts.Devices = nil
	if n, err := h.Reload(opts, func(name string) bool {
		asked = append(asked, name)
		return name == "edge-1"
	}); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	if slices.Sort(asked); !slices.Equal(asked, []string{"edge-1", "edge-2"}) {
		t.Errorf("asked about %q", asked)
	}
	lives(t, "edge-1", stays)
	endedFor(t, "edge-2", goes, "device edge-2 has been removed")
	if h.known("edge-2") != nil {
		t.Error("edge-2 is still known")
	}
	port := h.portOf("edge-1")
	if port < opts.Ports.First || port > opts.Ports.Last {
		t.Errorf("edge-1 has port %d", port)
	}
	lives(t, "on the assigned port", hello(t, dial(t, port, "noc")))
}

// One session that is shared cannot become exclusive: its link ends too.
func TestExclusiveUseEndsTheLink(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts)
	l := newFakeLink(1, nil)
	l.over = callhome.TLS
	h.attach("edge-1", l)
	s := hello(t, dial(t, opts.Port, "noc@edge-1"))
	opts.Sessions = SessionsShared // as it is already
	h.reload(opts, 0)
	lives(t, "the session", s)
	opts.Sessions = SessionsExclusive
	h.reload(opts, 1)
	endedFor(t, "the session", s, "how managers share device edge-1 was changed")
	<-l.Done()
	if err := l.Err(); err != errSharedOtherwise {
		t.Errorf("the link ended: %v", err)
	}
}

// What a manager may ask for changes for the session that it has.
func TestAccessFollowsAReload(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts).with(t, "edge-1")
	s := hello(t, dial(t, opts.Port, "noc@edge-1"))
	edit := func() string {
		write(t, s.conn, rpc(1, "<edit-config><target><running/></target><config/></edit-config>"))
		return read(t, s.conn)
	}
	for _, readOnly := range []bool{false, true, false} {
		opts.Managers = slices.Clone(opts.Managers)
		opts.Managers[0].Access.ReadOnly = readOnly
		h.reload(opts, 0)
		if got := edit(); strings.Contains(got, "access-denied") != readOnly {
			t.Errorf("read-only %t: %s", readOnly, got)
		}
	}
}

// Reloads while managers come and go: those whom no change concerns notice nothing,
// and nobody stays whom the last one keeps out.
func TestReloadsUnderLoad(t *testing.T) {
	opts := nocOptions(t)
	a, b := freePort(t), freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: a}, {Name: "edge-2", Port: b}}
	h := serve(t, opts).with(t, "edge-1", "edge-2")
	stays := hello(t, dial(t, opts.Port, "admin@edge-1"))
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for _, port := range []uint16{opts.Port, a, b} {
		busy.Go(func() {
			for ctx.Err() == nil {
				user := map[bool]string{true: "noc@edge-1", false: "noc"}[port == opts.Port]
				if client, err := ssh.Dial("tcp", address(port), password(user, "right")); err == nil {
					if ch, requests, err := client.OpenChannel("session", nil); err == nil {
						go ssh.DiscardRequests(requests)
						_, _ = ch.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{"netconf"}))
					}
					client.Close()
				}
			}
		})
	}
	for i := range 100 {
		next := opts
		switch i % 4 {
		case 1:
			next.Devices = []DeviceConfig{{Name: "edge-1", Port: b}, {Name: "edge-2", Port: a}}
		case 2:
			next.Managers = opts.Managers[1:]
		case 3:
			next.Networks.Deny = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			next.Devices = []DeviceConfig{{Name: "edge-1", Port: a}, {Name: "edge-2"}}
		}
		if _, err := h.Reload(next, nothingKnown); err != nil {
			t.Fatal(err)
		}
		lives(t, "an unconcerned session", stays)
	}
	last := opts
	last.Managers = opts.Managers[1:]
	if _, err := h.Reload(last, nothingKnown); err != nil {
		t.Fatal(err)
	}
	cancel()
	busy.Wait()
	eventually(t, "end of the others", func() bool { return len(h.visitors.now()) == 1 })
	lives(t, "an unconcerned session", stays)
}

// A session that is being opened while its device is to be shared otherwise.
func TestSharingChangesWhileASessionOpens(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts)
	opening, open := make(chan struct{}), make(chan struct{})
	l := newFakeLink(1, func(_ context.Context, id uint32) (session, error) {
		close(opening)
		<-open
		s, _ := newPipeSession(id, netconf.Chunked)
		return s, nil
	})
	h.attach("edge-1", l)
	t.Cleanup(func() { l.breaks(errReset) })
	ch := openChannel(t, dial(t, opts.Port, "noc@edge-1"))
	ch.ask("subsystem", "netconf")
	<-opening
	opts.Sessions = SessionsShared
	h.reload(opts, 0)
	close(open)
	endedFor(t, "the session", ch, "how managers share device edge-1 was changed")
	lives(t, "another try", hello(t, dial(t, opts.Port, "noc@edge-1")))
}
