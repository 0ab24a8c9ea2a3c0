package daemon

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/testport"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(handedStateDir); dir != "" {
		os.Exit(runWithHandedSockets(dir))
	}
	goleak.VerifyTestMain(m)
}

var loopback = netip.MustParseAddr("127.0.0.1")

// testPorts are above those of gateway, whose tests run at the same time.
var testPorts = testport.New(15000, 5000)

func freePort(t *testing.T) uint16 {
	t.Helper()
	return testPorts.Free(t)
}

// testConfig accepts calls of unknown devices under trust "approve".
func testConfig(t *testing.T) *config.Config {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	user := &auth.User{Name: "fleet", Username: "netconf", Password: "secret"}
	return &config.Config{
		StateDir: filepath.Join(t.TempDir(), "state"),
		Enabled:  true,
		Callhome: config.Callhome{Main: config.Listener{Address: loopback, Port: freePort(t)}, Options: callhome.Options{
			Users: []*auth.User{user}, NamedUsers: map[string]*auth.User{"fleet": user}, RejectDelay: -1,
		}},
		Gateway: gateway.Options{
			Address: loopback, Ports: gateway.PortRange{First: 23000, Last: 23999},
			Managers: []auth.Manager{{Name: "noc", PasswordHash: string(hash), Devices: []string{"*"}}},
		},
	}
}

// house is a running gateway.
type house struct {
	Addresses
	*control.Client
	stop func()
}

func startDaemon(t *testing.T, c *config.Config) house {
	t.Helper()
	return startDaemonWith(t, c, nil)
}

func startDaemonWith(t *testing.T, c *config.Config, log hclog.Logger) house {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan Addresses, 1)
	go func() {
		ended <- Run(ctx, c, Options{Version: "test", Log: log, Ready: func(a Addresses) { ready <- a }})
	}()
	return awaitStart(t, ended, ready, cancel)
}

func awaitStart(t *testing.T, ended <-chan error, ready <-chan Addresses, cancel func()) house {
	t.Helper()
	h := house{stop: sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})}
	select {
	case h.Addresses = <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(h.stop)
	h.Client = control.NewClient(h.Control)
	return h
}

func startDevice(t *testing.T, connect, seed string) {
	t.Helper()
	key, err := devicesim.KeyFromSeed(seed, 0)
	if err != nil {
		t.Fatal(err)
	}
	runDevice(t, devicesim.Options{Connect: connect, HostKeys: []ssh.Signer{key}, Username: "netconf", Password: "secret"})
}

func runDevice(t *testing.T, o devicesim.Options) {
	t.Helper()
	o.Reconnect = 10 * time.Millisecond
	runUntil(t, o)
}

// runUntil runs a device until end is called, or the test ends.
func runUntil(t *testing.T, o devicesim.Options) (end func()) {
	t.Helper()
	d, err := devicesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.Run(ctx) }()
	end = func() { cancel(); <-done }
	t.Cleanup(end)
	return end
}

// await polls until one device is in the state: the gateway has a socket to be
// asked on, and none that tells.
func (h house) await(t *testing.T, state string) control.Device {
	t.Helper()
	return h.awaitThat(t, state, func(d control.Device) bool { return d.State == state })
}

func (h house) awaitThat(t *testing.T, what string, cond func(control.Device) bool) control.Device {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		devices, err := h.Devices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			if cond(d) {
				return d
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no device is %s: %+v", what, devices)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestPendingDeviceIsApprovedConnectedRenamedAndForgotten(t *testing.T) {
	c := testConfig(t)
	h := startDaemon(t, c)
	startDevice(t, h.Callhome, "device")
	pending := h.await(t, control.StatePending)
	if pending.Name != "" || pending.Identity == "" || pending.Address != "127.0.0.1" {
		t.Errorf("pending %+v", pending)
	}
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: "edge-1", User: "nobody"}); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("approved with an unknown user: %v", err)
	}
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity[:20], Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	// It is connected a moment before its call has an outcome.
	up := h.awaitThat(t, "connected", func(d control.Device) bool { return d.State == control.StateConnected && d.LastOutcome != nil })
	if up.Name != "edge-1" || up.Port < 23000 || up.SessionID == 0 || up.LastOutcome.Reason != "accepted" {
		t.Errorf("connected %+v", up)
	}
	if shown, err := h.Device(t.Context(), "EDGE-1"); err != nil || len(shown.Capabilities) == 0 {
		t.Errorf("shown %+v, %v", shown, err)
	}
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: "edge-1", Name: "edge-2"}); err != nil {
		t.Fatal(err)
	}
	if renamed := h.await(t, control.StateConnected); renamed.Name != "edge-2" || renamed.Port == up.Port {
		t.Errorf("renamed %+v: the old name's port must not reach the new one", renamed)
	}
	if err := h.Forget(t.Context(), "edge-2"); err != nil {
		t.Fatal(err)
	}
	h.await(t, control.StatePending)
	for what, err := range map[string]error{
		"forget":     h.Forget(t.Context(), "edge-2"),
		"disconnect": h.Disconnect(t.Context(), "edge-2"),
	} {
		if !errors.Is(err, auth.ErrUnknownDevice) {
			t.Errorf("%s of a forgotten device: %v", what, err)
		}
	}
}

// withTLS lets the configuration take calls over TLS.
func withTLS(t *testing.T, c *config.Config) {
	t.Helper()
	cert, err := devicesim.GenerateCertificate("gateway", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Callhome.Main.TLSPort = freePort(t)
	c.Callhome.NamedUsers["fleet"].TLS = &auth.UserTLS{Certificate: cert}
}

func TestPendingTLSDeviceIsApprovedByTheBeginningOfItsFingerprint(t *testing.T) {
	c := testConfig(t)
	withTLS(t, c)
	h := startDaemon(t, c)
	runDevice(t, devicesim.Options{Name: "olt-7", Connect: h.CallhomeTLS, TLS: &devicesim.TLS{AnyClient: true}})
	pending := h.await(t, control.StatePending)
	if pending.Transport != "tls" || pending.KeyType != auth.TypeCertificate || !strings.HasPrefix(pending.Certificate, `"SERIALNUMBER=olt-7,CN=olt-7", issued by`) {
		t.Errorf("pending %+v", pending)
	}
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity[:18], Name: "edge-1"}); !errors.Is(err, auth.ErrUnknownDevice) {
		t.Errorf("approved by 8 digits: %v", err)
	}
	short := strings.ToLower(strings.ReplaceAll(pending.Identity[7:24], ":", ""))
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: short, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	up := h.await(t, control.StateConnected)
	if up.Name != "edge-1" || up.Transport != "tls" || up.Identity != pending.Identity || up.Sessions != "shared" {
		t.Errorf("connected %+v", up)
	}
	s, err := h.Status(t.Context())
	if err != nil || !s.CallhomeTLS.Listening || s.GatewayTLS.Enabled {
		t.Errorf("status %+v, %v", s, err)
	}
	h.stop()
	c.Enabled = false
	h = startDaemon(t, c)
	if away := h.await(t, control.StateAway); away.Transport != "tls" || away.Identity != pending.Identity {
		t.Errorf("away %+v", away)
	}
}

func TestADeviceThatACANamesIsRememberedUntilItIsForgotten(t *testing.T) {
	t.Run("tls", func(t *testing.T) {
		c := testConfig(t)
		withTLS(t, c)
		issuer, anchors := newDeviceCA(t)
		user := c.Callhome.NamedUsers["fleet"].TLS
		user.Anchors, user.NameFrom = anchors, auth.NameFromCommonName
		checkRemembered(t, c, devicesim.Options{Name: "olt-7", TLS: &devicesim.TLS{Issuer: issuer, AnyClient: true}})
	})
	t.Run("ssh", func(t *testing.T) {
		c := testConfig(t)
		ca, key := seededKey(t, "CA"), seededKey(t, "device")
		c.Callhome.NamedUsers["fleet"].HostCA = &auth.HostCA{Keys: []ssh.PublicKey{ca.PublicKey()}, NamesDevices: true}
		certified, err := devicesim.CertifyHost(key, ca, time.Time{}, "olt-7")
		if err != nil {
			t.Fatal(err)
		}
		checkRemembered(t, c, devicesim.Options{HostKeys: []ssh.Signer{certified}, Username: "netconf", Password: "secret"})
	})
}

func seededKey(t *testing.T, seed string) ssh.Signer {
	t.Helper()
	key, err := devicesim.KeyFromSeed(seed, 0)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func checkRemembered(t *testing.T, c *config.Config, o devicesim.Options) {
	h := startDaemon(t, c)
	transport := "ssh"
	if o.Connect = h.Callhome; o.TLS != nil {
		o.Connect, transport = h.CallhomeTLS, "tls"
	}
	end := runUntil(t, o)
	// It is connected a moment before its port is open.
	up := h.awaitThat(t, "connected with a port", func(d control.Device) bool { return d.State == control.StateConnected && d.Port != 0 })
	if up.Name != "olt-7" {
		t.Errorf("connected %+v", up)
	}
	end()
	h.await(t, control.StateAway)
	h.stop()
	h = startDaemon(t, c)
	if away := h.await(t, control.StateAway); away.Name != "olt-7" || away.Port != up.Port || away.Identity != up.Identity || away.Transport != transport || away.LastSeen.IsZero() {
		t.Errorf("after a restart %+v", away)
	}
	// The name is still that CA's to give.
	again := runUntil(t, o)
	h.awaitThat(t, "connected again", func(d control.Device) bool { return d.State == control.StateConnected && d.Name == "olt-7" })
	again()
	h.await(t, control.StateAway)
	if err := h.Forget(t.Context(), "olt-7"); err != nil {
		t.Error(err)
	}
	if devices, err := h.Devices(t.Context()); err != nil || len(devices) != 0 {
		t.Errorf("forgotten: %+v, %v", devices, err)
	}
}

// newDeviceCA makes a CA that issues the certificates of devices.
func newDeviceCA(t *testing.T) (*tls.Certificate, *auth.Anchors) {
	t.Helper()
	ca, key := newCA(t, "Devices CA")
	anchors, err := auth.NewAnchors([]*x509.Certificate{ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{ca.Raw}, PrivateKey: key}, anchors
}

func newCA(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca, key
}

func TestStateOutlivesTheProcess(t *testing.T) {
	c := testConfig(t)
	h := startDaemon(t, c)
	startDevice(t, h.Callhome, "device")
	pending := h.await(t, control.StatePending)
	if _, err := h.Approve(t.Context(), control.ApproveRequest{Device: pending.Identity, Name: "edge-1"}); err != nil {
		t.Fatal(err)
	}
	before, keys := h.await(t, control.StateConnected), h.HostKeys
	h.stop()

	c.Enabled = false
	h = startDaemon(t, c)
	after := h.await(t, control.StateAway)
	if after.Name != "edge-1" || after.Port != before.Port || after.Identity != before.Identity || after.LastSeen.IsZero() {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if !reflect.DeepEqual(keys, h.HostKeys) || len(keys) != 2 {
		t.Errorf("host keys %v, then %v", keys, h.HostKeys)
	}
	if s, err := h.Status(t.Context()); err != nil || s.Callhome.Listening || s.Devices.Away != 1 {
		t.Errorf("status %+v, %v", s, err)
	}
}

func TestADeviceWhoseEntryIsGoneAfterARestartIsGoneToo(t *testing.T) {
	c := testConfig(t)
	c.Callhome.Entries = []callhome.Entry{{Name: "edge-1", Pins: []auth.Identity{auth.SSHIdentity(seededKey(t, "gone").PublicKey())}}}
	c.Gateway.Devices = []gateway.DeviceConfig{{Name: "edge-1"}}
	h := startDaemon(t, c)
	startDevice(t, h.Callhome, "gone")
	h.awaitThat(t, "connected with a port", func(d control.Device) bool { return d.State == control.StateConnected && d.Port != 0 })
	h.stop()

	c.Enabled, c.Callhome.Entries, c.Gateway.Devices = false, nil, nil
	h = startDaemon(t, c)
	if devices, err := h.Devices(t.Context()); err != nil || len(devices) > 0 {
		t.Errorf("devices %+v, %v", devices, err)
	}
}

func TestRunFailsWholeAndSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	for _, tt := range []struct {
		name   string
		change func(*testing.T, *config.Config)
		want   string
	}{
		{"call-home port taken", func(_ *testing.T, c *config.Config) { c.Callhome.Main.Port = port }, "cannot listen for calls (callhome address and port)"},
		{"TLS call-home port taken", func(_ *testing.T, c *config.Config) { c.Callhome.Main.TLSPort = port }, "cannot listen for calls (callhome address and tls_port)"},
		{"challenge port taken", func(_ *testing.T, c *config.Config) {
			c.Gateway.TLS, c.TLS.ACME = &gateway.TLSOptions{}, &config.ACME{HTTPPort: port}
		}, "challenges of the ACME CA (http_port)"},
		{"shared port taken", func(_ *testing.T, c *config.Config) { c.Gateway.Port = port }, "the shared endpoint"},
		{"device port taken", func(_ *testing.T, c *config.Config) {
			c.Gateway.Devices = []gateway.DeviceConfig{{Name: "edge-1", Port: port}}
		}, "the endpoint of device edge-1"},
		{"state in use", func(t *testing.T, c *config.Config) {
			other := testConfig(t)
			other.StateDir = c.StateDir
			startDaemon(t, other)
		}, "another callhome-gateway is using"},
		{"broken host key", func(t *testing.T, c *config.Config) {
			if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(c.StateDir, "ssh_host_ed25519_key"), []byte("no key"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "move the file away"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := testConfig(t)
			tt.change(t, c)
			err := Run(t.Context(), c, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestDemoReachesADeviceAndLeavesNothing(t *testing.T) {
	// t.TempDir is too long for the path of a unix socket.
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancel(t.Context())
	var out demoOutput
	out.wrote = cancel // the demo writes once, when all is up
	if err := Demo(ctx, &out, "test", hclog.NewNullLogger()); err != nil {
		t.Fatal(err)
	}
	text := out.text.String()
	for _, want := range []string{"<hostname>edge-1</hostname>", "ssh -p", "device approve SHA256:", "ncclient"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// demoOutput collects what the demo prints and tells that it has.
type demoOutput struct {
	text  bytes.Buffer
	wrote func()
}

func (o *demoOutput) Write(p []byte) (int, error) {
	defer o.wrote()
	return o.text.Write(p)
}
