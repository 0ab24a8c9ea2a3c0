package devicesim

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/ssh"
)

// Device is one simulated device. Its methods may be called concurrently.
type Device struct {
	o       Options
	ssh     *ssh.ServerConfig // one of ssh and tls
	tls     *tls.Config
	data    *datastores
	events  events
	started time.Time
	gate    gate
	// pace, if not nil, is waited for before each call.
	pace func(context.Context) error

	mu       sync.Mutex // guards the following
	nextID   uint32
	sessions map[uint32]*session
	live     map[*call]struct{}
	calls    Calls
}

// Calls counts what a device has done since it was made.
type Calls struct {
	Connected int // TCP connections that it set up, or was given
	LoggedIn  int // of these, where the peer logged in
	Failed    int // attempts to connect that failed
}

// New makes a device. The options are validated.
func New(o Options) (*Device, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	config := defaultConfig(o.Name)
	if o.Config != "" {
		if config, err = parseForest([]byte(o.Config)); err != nil {
			return nil, fmt.Errorf("configuration of %s: %w", o.Name, err)
		}
	}
	d := &Device{
		o:        o.withHooks(),
		started:  time.Now(),
		nextID:   o.FirstSession,
		sessions: map[uint32]*session{},
		live:     map[*call]struct{}{},
	}
	d.data = newDatastores(config, d.o.OnRevert)
	d.events.keep = d.o.Replay
	if d.o.TLS == nil {
		d.ssh, err = d.serverConfig()
	} else {
		d.tls, err = d.tlsConfig()
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Name returns the device's name.
func (d *Device) Name() string { return d.o.Name }

// Certificate returns the DER certificate that a TLS device proves itself
// with, or nil for an SSH device.
func (d *Device) Certificate() []byte {
	if d.tls == nil {
		return nil
	}
	return d.tls.Certificates[0].Certificate[0]
}

// Fingerprints returns those of what the device proves itself with, as they
// are pinned: of its host keys, or of its TLS certificate.
func (d *Device) Fingerprints() []string {
	if d.tls != nil {
		return []string{FingerprintCertificate(d.Certificate())}
	}
	var all []string
	for _, key := range d.HostKeys() {
		all = append(all, ssh.FingerprintSHA256(key))
	}
	return all
}

// HostKeys returns the public keys that an SSH device proves itself with, and
// those that its host certificates are for.
func (d *Device) HostKeys() []ssh.PublicKey {
	var keys []ssh.PublicKey
	for _, signer := range d.o.HostKeys {
		key := bareKey(signer.PublicKey())
		if !slices.ContainsFunc(keys, func(k ssh.PublicKey) bool { return string(k.Marshal()) == string(key.Marshal()) }) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Sessions returns the number of NETCONF sessions that are open.
func (d *Device) Sessions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions)
}

// Calls returns the counts so far.
func (d *Device) Calls() Calls {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// Config returns the content of the running datastore as XML.
func (d *Device) Config() string { return d.data.get(running).String() }

// Drop ends every connection abruptly, with a TCP reset where there is TCP.
// Run calls again.
func (d *Device) Drop() {
	for _, c := range d.liveCalls() {
		c.drop()
	}
}

// Freeze makes the device stop reading and writing, like a process that is
// stopped: its system still acknowledges what arrives. Thaw ends that.
func (d *Device) Freeze() { d.gate.shut() }

// Thaw lets a frozen device go on.
func (d *Device) Thaw() { d.gate.open() }

func (d *Device) liveCalls() []*call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.live))
}

// openSessions returns the sessions in the order of their ids.
func (d *Device) openSessions() []*session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Values(d.sessions), func(a, b *session) int { return cmp.Compare(a.id, b.id) })
}

// add enters a session in the table and gives it its id.
func (d *Device) add(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.id = d.nextID
	d.nextID++
	d.sessions[s.id] = s
}

// remove takes a session out of the table and releases what it holds.
func (d *Device) remove(s *session) {
	d.mu.Lock()
	delete(d.sessions, s.id)
	d.mu.Unlock()
	if sub := s.subscription.Load(); sub != nil {
		sub.end()
	}
	d.data.release(s.id)
}

// kill ends a session and reports whether there was one.
func (d *Device) kill(id uint32) bool {
	d.mu.Lock()
	s := d.sessions[id]
	d.mu.Unlock()
	if s == nil {
		return false
	}
	s.finish()
	d.remove(s)
	_ = s.stream.Close()
	return true
}

// track counts a call, and keeps it while it lives.
func (d *Device) track(c *call) (untrack func()) {
	d.count(func(n *Calls) { n.Connected++ })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live[c] = struct{}{}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.live, c)
	}
}

func (d *Device) count(f func(*Calls)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.calls)
}

// withHooks sets the hooks that are nil to ones that do nothing.
func (o Options) withHooks() Options {
	if o.OnConnect == nil {
		o.OnConnect = func(net.Conn) {}
	}
	if o.OnDisconnect == nil {
		o.OnDisconnect = func(error) {}
	}
	if o.OnAuth == nil {
		o.OnAuth = func(string, string) {}
	}
	if o.OnHandshake == nil {
		o.OnHandshake = func(tls.ConnectionState, error) {}
	}
	if o.OnSession == nil {
		o.OnSession = func(uint32, bool) {}
	}
	if o.OnMessage == nil {
		o.OnMessage = func(uint32, []byte) {}
	}
	if o.Flaw == nil {
		o.Flaw = func(uint32, netconf.Head) Flaw { return FlawNone }
	}
	if o.OnRevert == nil {
		o.OnRevert = func() {}
	}
	if o.OnOpen == nil {
		o.OnOpen = func(bool) {}
	}
	return o
}
