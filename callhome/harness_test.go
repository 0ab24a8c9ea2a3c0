package callhome_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// memory is an auth.Memory without a disk.
type memory struct {
	mu      sync.Mutex
	devices []auth.Device
	pending []auth.Pending

	vouchers map[string]auth.Identity
}

func (m *memory) add(name string, id auth.Identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.devices = append(m.devices, auth.Device{Name: name, Identity: id})
}

func (m *memory) Approved(id auth.Identity) (auth.Device, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.devices {
		if d.Identity == id {
			return d, true
		}
	}
	return auth.Device{}, false
}

func (m *memory) Named(name string) (devices []auth.Device) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.devices {
		if d.Name == name {
			devices = append(devices, d)
		}
	}
	return devices
}

func (m *memory) Pin(d auth.Device) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.devices = append(m.devices, d)
	return nil
}

func (m *memory) NotePending(p auth.Pending) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = append(m.pending, p)
}

func (m *memory) Voucher(name string) auth.Identity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.vouchers[name]
}

func (m *memory) NoteVoucher(name string, ca auth.Identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.vouchers == nil {
		m.vouchers = make(map[string]auth.Identity)
	}
	m.vouchers[name] = ca
}

// server is a running Server and what it reported.
type server struct {
	*callhome.Server
	ln       net.Listener
	addr     string
	outcomes chan callhome.Outcome
	links    chan *callhome.Link
}

func start(t *testing.T, o callhome.Options) *server {
	t.Helper()
	s := newServer(t, o)
	run(t, func(ctx context.Context) error { return s.Serve(ctx, s.ln) })
	return s
}

func newServer(t *testing.T, o callhome.Options) *server {
	t.Helper()
	s := &server{outcomes: make(chan callhome.Outcome, 100), links: make(chan *callhome.Link, 100)}
	o.Outcome = func(o callhome.Outcome) { s.outcomes <- o }
	o.Attach = func(l *callhome.Link) { s.links <- l }
	if o.RejectDelay == 0 {
		o.RejectDelay = -1
	}
	if o.Memory == nil {
		o.Memory = &memory{}
	}
	var err error
	if s.Server, err = callhome.New(o); err != nil {
		t.Fatal(err)
	}
	if s.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.addr = s.ln.Addr().String()
	return s
}

// run runs f until the test ends, and waits for it.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// next returns the outcome of the next call.
func (s *server) next(t *testing.T) callhome.Outcome {
	t.Helper()
	return receive(t, s.outcomes, "an outcome")
}

// want checks the reason of the next outcome.
func (s *server) want(t *testing.T, reason callhome.Reason) callhome.Outcome {
	t.Helper()
	o := s.next(t)
	if o.Reason != reason {
		t.Fatalf("outcome %s (%s), want %s", o.Reason, o.Detail, reason)
	}
	return o
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s within 20 s", what)
		panic("unreachable")
	}
}

// key returns the same ed25519 key for the same name.
func key(t *testing.T, name string) ssh.Signer {
	t.Helper()
	k, err := devicesim.KeyFromSeed(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func identity(t *testing.T, name string) auth.Identity {
	return auth.SSHIdentity(key(t, name).PublicKey())
}

// authLog collects the authentication requests that a device saw.
type authLog struct {
	mu       sync.Mutex
	requests []string
}

func (l *authLog) add(user, method string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, user+" "+method)
}

func (l *authLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.requests...)
}

// device starts a simulated device that calls once a test, or again after
// Reconnect where that is set.
func device(t *testing.T, s *server, o devicesim.Options) *devicesim.Device {
	t.Helper()
	o.Connect = s.addr
	if o.HostKeys == nil && o.TLS == nil {
		o.HostKeys = []ssh.Signer{key(t, "device")}
	}
	if o.Username == "" {
		o.Username = "netconf"
	}
	if o.Password == "" && o.AuthorizedKeys == nil {
		o.Password = "secret"
	}
	if o.Reconnect == 0 {
		o.Reconnect = -1
	}
	d, err := devicesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	run(t, d.Run)
	return d
}

func fleetUser() *auth.User {
	return &auth.User{Name: "fleet", Username: "netconf", Password: "secret"}
}

// known are options under which the device with the key "device" is approved.
func known(t *testing.T) callhome.Options {
	m := &memory{}
	m.add("edge-1", identity(t, "device"))
	return callhome.Options{Users: []*auth.User{fleetUser()}, Memory: m}
}
