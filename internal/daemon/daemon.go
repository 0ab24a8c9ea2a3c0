// Package daemon puts the program together: the state, the call-home server,
// the endpoints for managers, and the control socket.
package daemon

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ssh"
)

// Options are what does not come from the configuration file.
type Options struct {
	// Version is shown by status.
	Version string
	// Log is the program's log. Default: nothing is logged.
	Log hclog.Logger
	// Ready, if not nil, is called when everything listens.
	Ready func(Addresses)
}

// Addresses are what a running gateway listens on. A port that was 0 in the
// configuration, to have the system choose, is filled in.
type Addresses struct {
	// Callhome and CallhomeTLS are empty when such calls are not accepted.
	Callhome, CallhomeTLS string
	Control               string
	// HostKeys are the gateway's own host keys.
	HostKeys []ssh.PublicKey
}

// daemon is a running gateway.
type daemon struct {
	version string
	log     hclog.Logger
	started time.Time
	// accepted counts the calls over SSH that have become links. Those over TLS
	// make less garbage, and collecting it late would scatter what their links
	// keep: that was measured as 7 KiB more for each, a fifth.
	accepted atomic.Int64

	events   *events
	inForce  atomic.Pointer[settings]
	hostKeys []ssh.Signer

	store        *store.Store
	callhome     *callhome.Server
	gateway      *gateway.Gateway
	certificates *serverCertificates // nil without TLS endpoints

	calls   []callListener // none when no calls are accepted
	control net.Listener
}

// Run runs a gateway until ctx ends or something that it cannot do without
// fails. Nothing runs and nothing is accepted before everything listens. It
// returns when all that it started has ended.
func Run(ctx context.Context, c *config.Config, o Options) error {
	d := &daemon{version: o.Version, log: o.Log, started: time.Now(), events: newEvents()}
	if d.log == nil {
		d.log = hclog.NewNullLogger()
	}
	var err error
	if d.store, err = store.Open(c.StateDir, func(err error) {
		d.log.Error("the state cannot be written; it is tried again every second", "error", err)
	}); err != nil {
		return err
	}
	err = d.run(ctx, c, o.Ready)
	return errors.Join(err, d.store.Close())
}

func (d *daemon) run(ctx context.Context, c *config.Config, ready func(Addresses)) error {
	if err := d.build(c); err != nil {
		return err
	}
	if err := d.listen(); err != nil {
		return err
	}
	d.log.Info("callhome-gateway is running", "version", d.version, "state_dir", c.StateDir,
		"calls", d.callAddress("", callhome.SSH), "tls_calls", d.callAddress("", callhome.TLS), "devices", len(d.gateway.Devices()), "configured_managers", len(c.Gateway.Managers))
	for _, l := range d.calls {
		if l.of.Name != "" {
			d.log.Info("a listener accepts calls", "listener", l.of.Name, "transport", l.of.Transport, "address", address(l))
		}
	}
	if len(d.calls) == 0 {
		d.log.Warn("call home is not enabled: no device can connect; set callhome { enabled = true } or use --callhome-enabled")
	}
	if ready != nil {
		ready(d.addresses())
	}
	err := d.serve(ctx)
	d.log.Info("callhome-gateway has stopped")
	return err
}

// build makes the parts and tells the gateway which devices are known.
func (d *daemon) build(c *config.Config) error {
	s, err := d.newSettings(c)
	if err != nil {
		return err
	}
	d.inForce.Store(s)
	options := c.Gateway
	if d.hostKeys = options.HostKeys; len(d.hostKeys) == 0 {
		if d.hostKeys, err = hostKeys(c.StateDir); err != nil {
			return err
		}
	}
	options.HostKeys, options.PortStore, options.Log = d.hostKeys, d.store, d.log
	if err = d.certify(); err != nil {
		return err
	}
	if d.certificates != nil {
		o := *options.TLS
		o.Certificate = d.certificates.get
		options.TLS = &o
	}
	// Requests that wait on disk may hold secrets; nobody else can look in here.
	options.TempDir = c.StateDir
	calls := c.Callhome.Options
	fitFiles(&calls, &options, maxFiles(), d.log)
	if d.gateway, err = gateway.New(options); err != nil {
		return err
	}
	calls.Memory, calls.Log = d.store, d.log
	calls.Attach, calls.Detach = d.gateway.Attach, d.detached
	calls.Outcome = d.ended
	if s.hook != nil {
		calls.UserSelect, calls.UserSelectTimeout = s.hook.choose, s.hook.timeout
	}
	d.callhome, err = callhome.New(calls)
	return err
}

// ended notes how a call ended.
func (d *daemon) ended(o callhome.Outcome) {
	if o.Reason == callhome.Accepted && o.Transport == callhome.SSH {
		d.accepted.Add(1)
	}
	named := o.Reason == callhome.Accepted && o.Identity.Type == auth.TypeCertificate // by a CA, if by nobody else
	known := named || d.remembers(o.Device)
	d.events.called(o, known)
	if known {
		d.store.NoteOutcome(o)
		d.gateway.NoteOutcome(o.Device, o)
	}
}

// detached notes that a link has ended.
func (d *daemon) detached(l *callhome.Link) {
	d.gateway.Detach(l)
	if d.remembers(l.Name()) {
		d.events.away(l)
		d.store.NoteSeen(l.Name(), time.Now())
	}
}

// remembers reports whether anything is kept of the device: it is configured,
// or somebody, its first use or a CA made it known. Strangers, and a device that
// was just forgotten, leave nothing.
func (d *daemon) remembers(name string) bool {
	return d.configured(name) || len(d.store.Named(name)) > 0 || d.store.Issued(name)
}

// listen opens everything, or nothing.
func (d *daemon) listen() (err error) {
	if d.control, err = control.Listen(filepath.Join(d.settings().StateDir, control.SocketName)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.closeListeners()
		}
	}()
	if err := d.listenForCalls(); err != nil {
		return err
	}
	if err := d.listenForChallenges(); err != nil {
		return err
	}
	if err := d.gateway.Listen(); err != nil {
		return err
	}
	known := d.store.AllIssued()
	for _, device := range d.store.Devices() {
		known = append(known, device.Name)
	}
	for _, name := range known {
		if err := d.gateway.AddDevice(name); err != nil {
			d.log.Warn("a known device has no endpoint of its own", "device", name, "error", err)
		}
	}
	return nil
}

func (d *daemon) listenForChallenges() error {
	if a := d.acme(); a != nil {
		return a.listen(d.settings().Gateway.Address)
	}
	return nil
}

// acme is nil where certificates come from elsewhere.
func (d *daemon) acme() *acmeClient {
	if d.certificates == nil {
		return nil
	}
	return d.certificates.acme
}

// closeListeners closes what listen had opened when it failed.
func (d *daemon) closeListeners() {
	listeners := []net.Listener{d.control}
	for _, l := range d.calls {
		listeners = append(listeners, l)
	}
	if a := d.acme(); a != nil {
		listeners = append(listeners, a.challenges)
	}
	for _, ln := range listeners {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// serve runs the parts until ctx ends or one of them fails, which ends all.
func (d *daemon) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(part func(context.Context) error) {
		wg.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	storm := &stormGauge{calls: d.callhome.Calls, accepted: func() int { return int(d.accepted.Load()) }}
	start(func(ctx context.Context) error { return tuneMemory(ctx, storm) })
	start(d.gateway.Serve)
	start(func(ctx context.Context) error { return control.Serve(ctx, d.control, backend{d}, d.log) })
	start(d.watch)
	if a := d.acme(); a != nil {
		start(a.run)
	}
	for _, l := range d.calls {
		start(func(ctx context.Context) error { return d.callhome.ServeListener(ctx, l.Listener, l.of) })
	}
	<-ctx.Done()
	d.log.Info("stopping")
	wg.Wait()
	if hook := d.settings().hook; hook != nil {
		hook.close()
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// address is empty without a listener.
func address(ln net.Listener) string {
	if ln == nil {
		return ""
	}
	return ln.Addr().String()
}

func (d *daemon) addresses() Addresses {
	a := Addresses{Callhome: d.callAddress("", callhome.SSH), CallhomeTLS: d.callAddress("", callhome.TLS), Control: address(d.control)}
	for _, key := range d.hostKeys {
		a.HostKeys = append(a.HostKeys, key.PublicKey())
	}
	return a
}
