package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/devicesim"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

const (
	demoManager  = "demo"
	demoPassword = "demo"
	demoUser     = "netconf"
	demoSeed     = "demo"
	// demoPorts are where the endpoints of the devices begin; ports that are in
	// use are passed over.
	demoPorts = 20000
	// demoStart bounds the time until all devices of the demo are connected.
	demoStart = 20 * time.Second
)

// demoDevices call home to the demo, one of them over TLS. The last one is not
// approved yet, so that the newcomer approves it.
var demoDevices = []string{"edge-1", "edge-2", "edge-3"}

const demoTLSDevice = "edge-2"

// Demo runs a gateway in a temporary directory with simulated devices that
// call it over loopback, and prints to w how to reach them. It runs until ctx
// ends and leaves nothing behind. The log goes to log.
func Demo(ctx context.Context, w io.Writer, version string, log hclog.Logger) error {
	dir, err := os.MkdirTemp("", "callhome-demo-") // short: the path of a unix socket must be
	if err != nil {
		return err
	}
	d := &demo{dir: dir, out: w, version: version, log: log}
	return errors.Join(d.run(ctx), os.RemoveAll(dir))
}

type demo struct {
	dir     string
	out     io.Writer
	version string
	log     hclog.Logger
	config  *config.Config
	// client is what devices know the gateway by over TLS.
	client tls.Certificate
}

func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := d.configure(); err != nil {
		return err
	}
	running, ready := make(chan error, 1), make(chan Addresses, 1)
	go func() {
		running <- Run(ctx, d.config, Options{Version: d.version, Log: d.log, Ready: func(a Addresses) { ready <- a }})
	}()
	var addresses Addresses
	select {
	case err := <-running:
		return err
	case addresses = <-ready:
	}
	stop, err := d.startDevices(ctx, addresses)
	if err == nil {
		err = d.introduce(ctx, addresses)
	}
	if err != nil {
		cancel()
	}
	runErr := <-running
	stop()
	return errors.Join(err, runErr)
}

// configure makes the configuration of the demo: call home and the shared
// endpoint on ports that the system chooses, and a session entry for all
// devices but the last.
func (d *demo) configure() error {
	hash, err := bcrypt.GenerateFromPassword([]byte(demoPassword), bcrypt.MinCost)
	if err != nil {
		return err
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	if d.client, err = devicesim.GenerateCertificate("callhome-gateway", nil); err != nil {
		return err
	}
	user := &auth.User{Name: "fleet", Username: demoUser, Password: demoPassword, TLS: &auth.UserTLS{Certificate: d.client}}
	d.config = &config.Config{
		StateDir: filepath.Join(d.dir, "state"),
		Enabled:  true,
		Callhome: config.Callhome{Main: config.Listener{Address: loopback, Port: ports[0], TLSPort: ports[1]}, Options: callhome.Options{
			Users: []*auth.User{user}, NamedUsers: map[string]*auth.User{user.Name: user},
		}},
		Gateway: gateway.Options{
			Address: loopback, Port: ports[2], Ports: gateway.PortRange{First: demoPorts, Last: demoPorts + 999},
			Managers: []auth.Manager{{Name: demoManager, PasswordHash: string(hash), Devices: []string{"*"}}},
		},
	}
	for i, name := range demoDevices[:len(demoDevices)-1] {
		pin, err := demoIdentity(i, name)
		if err != nil {
			return err
		}
		d.config.Callhome.Entries = append(d.config.Callhome.Entries, callhome.Entry{Name: name, User: user, Pins: []auth.Identity{pin}})
		d.config.Gateway.Devices = append(d.config.Gateway.Devices, gateway.DeviceConfig{Name: name})
	}
	return nil
}

// freePorts asks the system for n ports. Another process may take one before it
// is used; the demo then fails to start and says so.
func freePorts(n int) ([]uint16, error) {
	ports := make([]uint16, n)
	for i := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close() // when all are known: they differ
		ports[i] = uint16(ln.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// demoIdentity is what the device of that number proves.
func demoIdentity(i int, name string) (auth.Identity, error) {
	if name == demoTLSDevice {
		cert, err := devicesim.CertificateFromSeed(demoSeed, i, name, nil)
		if err != nil {
			return auth.Identity{}, err
		}
		return auth.Identity{Type: auth.TypeCertificate, Fingerprint: devicesim.FingerprintCertificate(cert.Certificate[0])}, nil
	}
	key, err := devicesim.KeyFromSeed(demoSeed, i)
	if err != nil {
		return auth.Identity{}, err
	}
	return auth.SSHIdentity(key.PublicKey()), nil
}

// startDevices starts the devices; stop ends them.
func (d *demo) startDevices(ctx context.Context, a Addresses) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	stop = func() { cancel(); wg.Wait() }
	for i, name := range demoDevices {
		o, err := d.deviceOptions(i, name, a)
		if err != nil {
			return stop, err
		}
		device, err := devicesim.New(o)
		if err != nil {
			return stop, err
		}
		wg.Go(func() { _ = device.Run(ctx) })
	}
	return stop, nil
}

func (d *demo) deviceOptions(i int, name string, a Addresses) (devicesim.Options, error) {
	o := devicesim.Options{Name: name, Connect: a.Callhome, Username: demoUser, Password: demoPassword, Reconnect: time.Second}
	if name == demoTLSDevice {
		cert, err := devicesim.CertificateFromSeed(demoSeed, i, name, nil)
		o.Connect = a.CallhomeTLS
		o.TLS = &devicesim.TLS{Certificate: cert, Clients: []string{devicesim.FingerprintCertificate(d.client.Certificate[0])}}
		return o, err
	}
	key, err := devicesim.KeyFromSeed(demoSeed, i)
	o.HostKeys = []ssh.Signer{key}
	return o, err
}
