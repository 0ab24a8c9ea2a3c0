// Package daemon puts the program together: the state, the call-home server,
// the endpoints for managers, and the control socket.
package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/audit"
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
	// Load reads the configuration again, with what was saved while the gateway
	// ran. It returns the warnings, one by one, or an error with a line for each
	// problem. Without it there is nothing to read again, and nothing is saved.
	Load func(saved []config.Saved) (*config.Config, []string, error)
	// Reload has the configuration read again at each value, and Drain has the
	// gateway let its managers finish and end, once it is closed. Either may be nil.
	Reload <-chan os.Signal
	Drain  <-chan struct{}
	// Service says that systemd may have started the gateway: it is told how that
	// does, and what it hands over is used.
	Service bool
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
	Options
	log     hclog.Logger
	started time.Time
	// accepted counts the calls over SSH that have become links. Those over TLS
	// make less garbage, and collecting it late would scatter what their links
	// keep: that was measured as 7 KiB more for each, a fifth.
	accepted atomic.Int64

	// first is the configuration that the gateway was started with.
	first *config.Config
	// inForce is changed by who holds changing, which is taken before any lock.
	inForce  atomic.Pointer[settings]
	changing chan struct{} // has one element while somebody changes something
	ending   atomic.Bool   // nothing is changed any more

	bounds  bounds
	sockets sockets

	store        *store.Store
	callhome     *callhome.Server
	gateway      *gateway.Gateway
	certificates serverCertificates
	record       *recorder
	audit        *audit.Log
	events       *events
	service      *service // nil unless Options.Service

	control net.Listener

	mu    sync.Mutex     // guards the following
	calls []callListener // none when no calls are accepted
	order callOrder

	// ctx ends with the gateway, or when a part fails, and running has what must
	// end then. They are there while serve runs.
	ctx     context.Context
	fail    context.CancelCauseFunc
	running sync.WaitGroup
}

// Run runs a gateway until ctx ends, or Options.Drain is closed and all has been
// let go, or something that it cannot do without fails. Nothing runs and nothing
// is accepted before everything listens. It returns when all that it started has
// ended.
func Run(ctx context.Context, c *config.Config, o Options) error {
	d, err := open(c, o)
	if err != nil {
		return err
	}
	return d.run(ctx, c)
}

// open takes what only one process can have: the state, and what systemd hands
// over.
func open(c *config.Config, o Options) (*daemon, error) {
	d := &daemon{Options: o, log: o.Log, started: time.Now(), changing: make(chan struct{}, 1), events: newEvents()}
	if d.log == nil {
		d.log = hclog.NewNullLogger()
	}
	d.changing <- struct{}{} // until all runs
	var err error
	if d.store, err = store.Open(c.StateDir, func(err error) {
		d.log.Error("the state cannot be written; it is tried again every second", "error", err)
	}); err != nil {
		return nil, err
	}
	d.audit = audit.New(d.log)
	d.record = &recorder{audit: d.audit, events: d.events}
	if o.Service {
		d.service = newService(d.log)
		d.sockets.takeSockets(d.log)
	}
	return d, nil
}

func (d *daemon) run(ctx context.Context, c *config.Config) error {
	err := d.runParts(ctx, c)
	d.sockets.close()
	return errors.Join(err, d.audit.Close(), d.store.Close())
}

func (d *daemon) runParts(ctx context.Context, c *config.Config) error {
	c, err := d.withSaved(c)
	if err != nil {
		return err
	}
	if err := d.build(c); err != nil {
		return err
	}
	certificates, err := d.listen(c)
	if err != nil {
		return err
	}
	d.log.Info("callhome-gateway is running", "version", d.Version, "state_dir", c.StateDir,
		"calls", d.callAddress("", callhome.SSH), "tls_calls", d.callAddress("", callhome.TLS), "devices", len(d.gateway.Devices()), "configured_managers", len(c.Gateway.Managers))
	d.tellListeners()
	d.fileNeeds().tell(maxFiles(), d.log)
	d.sockets.tellUnused(d.log)
	if d.Ready != nil {
		d.Ready(d.addresses())
	}
	err = d.serve(ctx, certificates)
	d.log.Info("callhome-gateway has stopped")
	return err
}

// tellListeners logs where else calls are accepted than at the main listener, or
// that they are not.
func (d *daemon) tellListeners() {
	list := d.callListeners()
	for _, l := range list {
		if l.of.Name != "" {
			d.log.Info("a listener accepts calls", "listener", l.of.Name, "transport", l.of.Transport, "address", address(l.socket))
		}
	}
	switch order := d.callOrder(); {
	case len(list) > 0:
	case !order.since.IsZero():
		d.log.Warn("no calls are accepted: an operator has stopped the call-home server; run callhome-server start")
	default:
		d.log.Warn("call home is not enabled: no device can connect; set callhome { enabled = true }, use --callhome-enabled, or run callhome-server start")
	}
}

// build makes the parts.
func (d *daemon) build(c *config.Config) error {
	d.first = c
	s, err := d.newSettings(c)
	if err != nil {
		return err
	}
	d.inForce.Store(s)
	if err := d.audit.Use(c.Audit); err != nil {
		return err
	}
	d.bounds = newBounds(c, maxFiles(), d.log)
	calls, managers := d.options(s)
	if d.gateway, err = gateway.New(managers); err != nil {
		return err
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

// detached notes that a link has ended. One that came up just when its device was
// forgotten or renamed has made it known to the gateway again: it is forgotten
// there too, which may have to wait for what waits for the link.
func (d *daemon) detached(l *callhome.Link) {
	d.gateway.Detach(l)
	d.events.away(l)
	name := l.Name()
	if d.remembers(name) {
		d.store.NoteSeen(name, time.Now())
		return
	}
	d.start(func(context.Context) error {
		if !d.remembers(name) {
			d.gateway.Forget(name)
		}
		return nil
	})
}

// remembers reports whether anything is kept of the device: it is configured,
// or somebody, its first use or a CA made it known. Strangers, and a device that
// was just forgotten, leave nothing.
func (d *daemon) remembers(name string) bool { return d.configured(name) || d.known(name) }

// known reports whether the device is known besides the configuration.
func (d *daemon) known(name string) bool {
	return len(d.store.Named(name)) > 0 || d.store.Issued(name)
}

// listen opens everything, or nothing, and tells the gateway which devices are
// known. The certificates are to be committed when all is to run.
func (d *daemon) listen(c *config.Config) (certificates *certificateChange, err error) {
	if d.control, err = control.Listen(filepath.Join(c.StateDir, control.SocketName)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = d.control.Close()
			d.closeCalls()
		}
	}()
	calls, err := d.changeCalls(c, callOrder{})
	if err != nil {
		return nil, err
	}
	d.calls = calls.next
	if certificates, err = d.changeCertificates(d.settings()); err != nil {
		return nil, err
	}
	if err := d.gateway.Listen(); err != nil {
		certificates.undo()
		return nil, err
	}
	d.gateway.Know(d.knownDevices()...)
	// Of a session entry that was removed while the gateway was off the port is left.
	for _, device := range d.gateway.Devices() {
		if !d.remembers(device.Name) {
			d.gateway.Forget(device.Name)
		}
	}
	return certificates, nil
}

// knownDevices returns the names of those that are known besides the configuration.
func (d *daemon) knownDevices() []string {
	names := d.store.AllIssued()
	for _, device := range d.store.Devices() {
		names = append(names, device.Name)
	}
	return names
}

// addDevices opens the endpoints of devices that are known by now. Each new port
// is stored on its own: it takes most of a minute for ten thousand, longer where
// the disk is slow, and nobody has to wait for it.
func (d *daemon) addDevices(ctx context.Context, names []string) error {
	var failed unserved
	defer func() { failed.tell(d.log) }()
	for _, name := range names {
		if ctx.Err() != nil {
			return nil
		}
		failed.note(name, d.gateway.AddDevice(name))
		if !d.remembers(name) { // it was forgotten meanwhile
			d.gateway.Forget(name)
		}
	}
	return nil
}

// start runs a part until d.ctx ends. If it fails before, all ends.
func (d *daemon) start(part func(context.Context) error) {
	d.running.Go(func() {
		if err := part(d.ctx); err != nil {
			d.fail(err)
		}
	})
}

// serve runs the parts until ctx ends, the gateway has been drained, or one of
// them fails, which ends all.
func (d *daemon) serve(ctx context.Context, certificates *certificateChange) error {
	d.ctx, d.fail = context.WithCancelCause(ctx)
	defer d.fail(nil)
	storm := &stormGauge{calls: d.callhome.Calls, accepted: func() int { return int(d.accepted.Load()) }}
	d.start(func(ctx context.Context) error { return tuneMemory(ctx, storm) })
	d.start(d.gateway.Serve)
	d.start(func(ctx context.Context) error { return control.Serve(ctx, d.control, backend{d}, d.log) })
	d.start(d.watch)
	d.start(func(ctx context.Context) error { return d.addDevices(ctx, d.knownDevices()) })
	certificates.commit()
	d.acceptOn(d.callListeners())
	d.endChange()
	d.start(d.obey)
	d.start(func(ctx context.Context) error { return d.service.live(ctx, d.figures) })
	d.service.ready()
	<-d.ctx.Done()
	d.ending.Store(true)
	d.service.stopping(0)
	d.log.Info("stopping")
	d.closeCalls()
	d.running.Wait()
	d.closeCalls() // those of a change that was under way
	if hook := d.settings().hook; hook != nil {
		hook.close()
	}
	if err := context.Cause(d.ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// obey does what signals ask for, until ctx ends.
func (d *daemon) obey(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.Reload:
			_, _ = d.reload(ctx) // which has logged what became of it
		case <-d.Drain:
			d.drain(ctx)
			d.fail(nil)
			return nil
		}
	}
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
	for _, key := range d.settings().Gateway.HostKeys {
		a.HostKeys = append(a.HostKeys, key.PublicKey())
	}
	return a
}
