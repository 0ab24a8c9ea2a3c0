package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// The same manager and device, once through a bare TCP splice and once through
// the gateway: what counts is the ratio of the two.

func BenchmarkRoundTrip(b *testing.B) {
	for _, path := range paths {
		b.Run(path.name, func(b *testing.B) {
			manager := path.connect(b)
			request := []byte(`<rpc xmlns="` + netconf.NamespaceBase + `" message-id="101"><get-config><source><running/></source></get-config></rpc>`)
			took := make([]time.Duration, 0, 1<<16)
			for b.Loop() {
				begin := time.Now()
				exchange(b, manager, request)
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

func BenchmarkThroughput(b *testing.B) {
	const size = 32 << 20
	for _, path := range paths {
		b.Run(path.name, func(b *testing.B) {
			manager := path.connect(b)
			request := fmt.Appendf(nil, `<rpc xmlns="%s" message-id="1"><blob xmlns="%s"><size>%d</size></blob></rpc>`,
				netconf.NamespaceBase, devicesim.NamespaceSim, size)
			b.SetBytes(size)
			for b.Loop() {
				if n := exchange(b, manager, request); n < size {
					b.Fatalf("a reply of %d bytes", n)
				}
			}
		})
	}
}

func BenchmarkUpload(b *testing.B) {
	const size = 8 << 20
	for _, path := range paths {
		b.Run(path.name, func(b *testing.B) {
			manager := path.connect(b)
			request := fmt.Appendf(nil, `<rpc xmlns="%s" message-id="1"><sink xmlns="%s">%s</sink></rpc>`,
				netconf.NamespaceBase, devicesim.NamespaceSim, slices.Repeat([]byte("0123456789abcdef"), size/16))
			b.SetBytes(size)
			for b.Loop() {
				exchange(b, manager, request)
			}
		})
	}
}

var paths = []struct {
	name    string
	connect func(b *testing.B) *netconf.Conn
}{{"splice", throughSplice}, {"gateway", throughGateway}}

func exchange(b *testing.B, c *netconf.Conn, request []byte) int64 {
	if err := c.WriteDocument(request); err != nil {
		b.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, m.Body)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func key(b *testing.B) ssh.Signer {
	b.Helper()
	k, err := devicesim.GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	return k
}

func listen(b *testing.B) net.Listener {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// background runs f until the benchmark ends, and waits for it.
func background(b *testing.B, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// callingDevice calls home to the address.
func callingDevice(b *testing.B, address string, hostKey ssh.Signer) {
	b.Helper()
	device, err := devicesim.New(devicesim.Options{
		Connect: address, HostKeys: []ssh.Signer{hostKey}, Username: "netconf", Password: "secret", Reconnect: -1,
	})
	if err != nil {
		b.Fatal(err)
	}
	background(b, func(ctx context.Context) { _ = device.Run(ctx) })
}

// connect opens a NETCONF session as a manager does.
func connect(b *testing.B, address, user, password string) *netconf.Conn {
	b.Helper()
	client, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.Password(password)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		b.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	if ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{"netconf"})); !ok || err != nil {
		b.Fatal(ok, err)
	}
	c := netconf.NewConn(channel)
	own := &netconf.Hello{Capabilities: []string{netconf.CapabilityBase10, netconf.CapabilityBase11}}
	if err := c.WriteDocument(own.Document()); err != nil {
		b.Fatal(err)
	}
	hello, err := netconf.ReadHello(c.Reader)
	if err != nil {
		b.Fatal(err)
	}
	framing, err := netconf.CommonFraming(own, hello)
	if err != nil {
		b.Fatal(err)
	}
	c.SetFraming(framing)
	return c
}

func throughSplice(b *testing.B) *netconf.Conn {
	south, north := listen(b), listen(b)
	callingDevice(b, south.Addr().String(), key(b))
	background(b, func(context.Context) {
		device, err := south.Accept()
		if err != nil {
			return
		}
		defer device.Close()
		manager, err := north.Accept()
		if err != nil {
			return
		}
		defer manager.Close()
		var copying sync.WaitGroup
		copying.Go(func() { _, _ = io.Copy(device, manager); device.Close() })
		copying.Go(func() { _, _ = io.Copy(manager, device); manager.Close() })
		copying.Wait()
	})
	b.Cleanup(func() {
		south.Close()
		north.Close()
	})
	return connect(b, north.Addr().String(), "netconf", "secret")
}

func throughGateway(b *testing.B) *netconf.Conn {
	hostKey := key(b)
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		b.Fatal(err)
	}
	north := listen(b)
	port := netip.MustParseAddrPort(north.Addr().String()).Port()
	north.Close()
	g, err := gateway.New(gateway.Options{
		Port: port, Wait: 10 * time.Second, HostKeys: []ssh.Signer{key(b)},
		Devices:  []gateway.DeviceConfig{{Name: "edge-1"}},
		Managers: []auth.Manager{{Name: "noc", PasswordHash: string(hash), Devices: []string{"*"}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		b.Fatal(err)
	}
	server, err := callhome.New(callhome.Options{
		Entries: []callhome.Entry{{
			Name: "edge-1", Pins: []auth.Identity{auth.SSHIdentity(hostKey.PublicKey())},
			User: &auth.User{Name: "fleet", Username: "netconf", Password: "secret"},
		}},
		Memory: noMemory{}, Attach: g.Attach,
	})
	if err != nil {
		b.Fatal(err)
	}
	south := listen(b)
	background(b, func(ctx context.Context) { _ = g.Serve(ctx) })
	background(b, func(ctx context.Context) { _ = server.Serve(ctx, south) })
	callingDevice(b, south.Addr().String(), hostKey)
	return connect(b, fmt.Sprintf("127.0.0.1:%d", port), "noc@edge-1", "right")
}

// noMemory is an auth.Memory that knows nobody.
type noMemory struct{}

func (noMemory) Approved(auth.Identity) (auth.Device, bool) { return auth.Device{}, false }
func (noMemory) Named(string) []auth.Device                 { return nil }
func (noMemory) Pin(auth.Device) error                      { return nil }
func (noMemory) NotePending(auth.Pending)                   {}
