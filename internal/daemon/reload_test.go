package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"

	"github.com/hashicorp/go-hclog"
)

// reloading is a gateway whose configuration the test changes.
type reloading struct {
	house
	*daemon
	mu     sync.Mutex
	next   func(saved []config.Saved) (*config.Config, []string, error)
	hangup chan os.Signal
	drain  func()
	ended  chan error
}

// read has the gateway read this configuration from now on.
func (r *reloading) read(c *config.Config, warnings ...string) {
	r.readAs(func([]config.Saved) (*config.Config, []string, error) { return c, warnings, nil })
}

func (r *reloading) readAs(next func([]config.Saved) (*config.Config, []string, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = next
}

func startReloading(t *testing.T, c *config.Config, change func(*Options)) *reloading {
	t.Helper()
	r := &reloading{hangup: make(chan os.Signal, 1), ended: make(chan error, 1)}
	r.read(c)
	drain := make(chan struct{})
	r.drain = sync.OnceFunc(func() { close(drain) })
	ready := make(chan Addresses, 1)
	o := Options{Version: "test", Reload: r.hangup, Drain: drain, Ready: func(a Addresses) { ready <- a },
		Load: func(saved []config.Saved) (*config.Config, []string, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.next(saved)
		},
	}
	if change != nil {
		change(&o)
	}
	var err error
	if r.daemon, err = open(c, o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(r.ended)
		r.ended <- r.daemon.run(ctx, c)
	}()
	r.house = awaitStart(t, r.ended, ready, cancel)
	if err := r.beginChange(ctx); err != nil { // when all runs
		t.Fatal(err)
	}
	r.endChange()
	return r
}

// startInside starts a gateway and lets the test look inside.
func startInside(t *testing.T, c *config.Config) (*daemon, house) {
	t.Helper()
	r := startReloading(t, c, nil)
	return r.daemon, r.house
}

// approved returns a gateway with a device that was approved as edge-1, and is
// connected and has its port.
func approved(t *testing.T, c *config.Config, change func(*Options)) (*reloading, control.Device) {
	t.Helper()
	r := startReloading(t, c, change)
	startDevice(t, r.Callhome, "device")
	pending := r.await(t, control.StatePending)
	if _, err := r.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	return r, r.awaitThat(t, "connected with a port", func(d control.Device) bool { return d.State == control.StateConnected && d.Port != 0 })
}

// changed returns a copy of the configuration with a change.
func changed(c *config.Config, change func(*config.Config)) *config.Config {
	next := *c
	next.Gateway.Managers = slices.Clone(c.Gateway.Managers)
	next.Gateway.Devices = slices.Clone(c.Gateway.Devices)
	next.Callhome.Entries = slices.Clone(c.Callhome.Entries)
	change(&next)
	return &next
}

func TestABadReloadChangesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	c := testConfig(t)
	var log syncBuffer
	r, before := approved(t, c, func(o *Options) { o.Log = hclog.New(&hclog.LoggerOptions{Output: &log}) })
	m := startManager(t, before.Port, "noc", "secret")
	fresh := freePort(t)
	// Each would do much besides what is wrong with it.
	much := func(wrong func(*config.Config)) *config.Config {
		return changed(c, func(c *config.Config) {
			c.Callhome.Main.Port, c.Gateway.Managers, c.Callhome.Users = fresh, nil, nil
			wrong(c)
		})
	}
	for name, test := range map[string]struct {
		next *config.Config
		err  error // of reading it
		want string
	}{
		"it cannot be read": {err: errors.New("config.hcl:3:1: error: one\nconfig.hcl:5:2: error: other"), want: "config.hcl:5:2: error: other"},
		"calls cannot be decided": {next: much(func(c *config.Config) {
			c.Callhome.Entries = []callhome.Entry{{Name: "edge-2"}, {Name: "edge-2"}}
		}), want: "edge-2"},
		"a port for challenges is taken": {next: much(func(c *config.Config) {
			c.Gateway.TLS, c.TLS.ACME = &gateway.TLSOptions{}, &config.ACME{HTTPPort: port}
		}), want: "challenges of the ACME CA"},
		"a port for calls is taken": {next: much(func(c *config.Config) {
			c.Callhome.Listeners = []config.Listener{{Listener: callhome.Listener{Name: "olts"}, Address: loopback, Port: port}}
		}), want: "cannot listen for calls (listener olts"},
		"the audit cannot be written":  {next: much(func(c *config.Config) { c.Audit.File = filepath.Join(c.StateDir, "none", "audit") }), want: "audit"},
		"a port for managers is taken": {next: much(func(c *config.Config) { c.Gateway.Port = port }), want: strconv.Itoa(int(port))},
	} {
		r.readAs(func([]config.Saved) (*config.Config, []string, error) { return test.next, nil, test.err })
		if _, err := r.Client.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		log.await(t, "the old one stays in force: problem=")
		log.await(t, test.want)
		if d, err := r.Device(t.Context(), "edge-1"); err != nil || d.State != control.StateConnected || !d.Since.Equal(before.Since) {
			t.Errorf("%s: the device is %+v, %v", name, d, err)
		}
		if m.ended() || !answers(r.Callhome) || answers(endpoint(fresh)) || r.settings().Config.Callhome.Main.Port != c.Callhome.Main.Port {
			t.Errorf("%s: something has changed", name)
		}
		if other, err := dialManager(before.Port, "noc", "secret"); err != nil {
			t.Errorf("%s: the manager is not let in: %v", name, err)
		} else {
			other.Close()
		}
	}
	for _, line := range []string{"one", "other"} { // each problem has its own
		if strings.Count(log.String(), "error: "+line) != 1 {
			t.Errorf("%q is not there once:\n%s", line, log.String())
		}
	}
}

func TestAReloadIsFollowed(t *testing.T) {
	c := testConfig(t)
	var log syncBuffer
	r, before := approved(t, c, func(o *Options) { o.Log = hclog.New(&hclog.LoggerOptions{Output: &log}) })
	m := startManager(t, before.Port, "noc", "secret")
	port := freePort(t)
	next := changed(c, func(c *config.Config) {
		c.Callhome.Main.Port = port
		c.Callhome.MaxCalls = 77
		c.Log.Level = "debug"
		c.Gateway.Managers = append(c.Gateway.Managers, auth.Manager{Name: "second", PasswordHash: c.Gateway.Managers[0].PasswordHash, Devices: []string{"*"}})
	})
	r.read(next, "config.hcl:1:1: warning: be careful")
	result, err := r.Client.Reload(t.Context())
	if err != nil || result.Links != 0 || result.Sessions != 0 || !slices.Equal(result.NeedRestart, []string{"callhome.max_calls"}) || !slices.Equal(result.Warnings, []string{"config.hcl:1:1: warning: be careful"}) {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, want := range []string{"be careful", "option=callhome.max_calls", "the configuration was read again: links_ended=0"} {
		log.await(t, want)
	}
	if !r.log.IsDebug() || answers(r.Callhome) || !answers(endpoint(port)) {
		t.Error("the log level, or the port for calls, is what it was")
	}
	second := startManager(t, before.Port, "second", "secret")
	if d, err := r.Device(t.Context(), "edge-1"); err != nil || !d.Since.Equal(before.Since) || m.ended() {
		t.Errorf("what is not concerned has ended: %+v, %v", d, err)
	}

	// SIGHUP does the same.
	r.read(changed(next, func(c *config.Config) { c.Gateway.Managers = c.Gateway.Managers[:1] }))
	r.hangup <- os.Interrupt
	second.awaitEnd(t)
	if m.ended() {
		t.Error("the other manager's session has ended, too")
	}
	r.read(changed(next, func(c *config.Config) {
		c.Gateway.Managers = c.Gateway.Managers[:1]
		c.Callhome.Users = []*auth.User{}
	}))
	if result, err = r.Client.Reload(t.Context()); err != nil || result.Links != 1 {
		t.Errorf("without a user for it the device is left connected: %+v, %v", result, err)
	}
	m.awaitEnd(t)
}

func TestAReloadLeavesToTheOperatorWhatWasStarted(t *testing.T) {
	c := testConfig(t)
	var log syncBuffer
	r := startReloading(t, c, func(o *Options) { o.Log = hclog.New(&hclog.LoggerOptions{Output: &log}) })
	if _, err := r.StopCallhome(t.Context()); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	r.read(changed(c, func(c *config.Config) { c.Callhome.Main.Port = port }))
	if _, err := r.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answers(endpoint(port)) || answers(r.Callhome) {
		t.Error("the reload has started what an operator stopped")
	}
	if log.await(t, "an operator has stopped the call-home server; run callhome-server start"); strings.Contains(log.String(), "call home is not enabled") {
		t.Error("the log says that it is not enabled, and it is")
	}
	if s, err := r.StartCallhome(t.Context(), control.StartRequest{}); err != nil || !s.Listeners[0].Listening || !answers(endpoint(port)) {
		t.Errorf("%+v, %v", s, err)
	}
	r.read(changed(c, func(c *config.Config) { c.Enabled = false }))
	if _, err := r.Client.Reload(t.Context()); err != nil || !answers(r.Callhome) || answers(endpoint(port)) {
		t.Errorf("what was started does not follow to another port: %v", err)
	}
}

func TestTheStatusTellsOfAnAuditThatCannotBeWritten(t *testing.T) {
	c := changed(testConfig(t), func(c *config.Config) { c.Audit.File = "/dev/full" })
	r, device := approved(t, c, nil)
	startManager(t, device.Port, "noc", "secret") // there is something to write now
	audit := func() control.Audit {
		s, err := r.Client.Status(t.Context())
		if err != nil || s.Audit == nil {
			t.Fatalf("%+v, %v", s.Audit, err)
		}
		return *s.Audit
	}
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(audit().Problem, "no space left"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no problem is told: %+v", audit())
		}
	}
	good := filepath.Join(t.TempDir(), "audit")
	r.read(changed(c, func(c *config.Config) { c.Audit.File = good }))
	if _, err := r.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := audit(); now != (control.Audit{File: good}) {
		t.Errorf("after the reload %+v", now)
	}
}

// TestTheAuditIsOpenedAnew is what logrotate does: the file is moved, then the
// gateway is told.
func TestTheAuditIsOpenedAnew(t *testing.T) {
	dir := t.TempDir()
	file, moved := filepath.Join(dir, "audit"), filepath.Join(dir, "audit.1")
	c := changed(testConfig(t), func(c *config.Config) { c.Audit.File = file })
	r, device := approved(t, c, nil)
	awaitText := func(path, text string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			written, err := os.ReadFile(path)
			if strings.Contains(string(written), text) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has no %s: %q, %v", path, text, written, err)
			}
		}
	}
	startManager(t, device.Port, "noc", "secret")
	awaitText(file, "session-begin")
	if err := os.Rename(file, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := dialManager(device.Port, "noc", "wrong"); err == nil {
		t.Fatal("a wrong password lets in")
	}
	awaitText(file, "login-refused")
	r.house.stop()
	awaitText(file, "session-end")
	s := r.record.totals.read()
	if s.LoginsRefused != 1 || s.Sessions != 1 {
		t.Errorf("counted: %+v", s)
	}
}

func TestFilesFollowAReload(t *testing.T) {
	w := newWatchedDaemon(t)
	first := w.settings()
	other := *first.Config
	other.Lists = []config.Lists{{Of: "the managers", Anchors: first.Lists[0].Anchors, Files: []string{w.crl}, Issuers: []string{"CN=Other"}}}
	first.Lists[0].Issuers = []string{"CN=CA", "CN=Other"}
	w.compareLists(first.Lists, other.Lists)
	if out := w.out.String(); strings.Count(out, "no revocation list any more") != 1 || !strings.Contains(out, "issuer=CN=CA ") {
		t.Errorf("log:\n%s", out)
	}
}
