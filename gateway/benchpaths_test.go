package gateway_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
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

// credentials prove a device and a manager to the gateway, or to each other.
type credentials struct {
	hostKey         ssh.Signer
	device, manager tls.Certificate
}

func newCredentials(b *testing.B) credentials {
	b.Helper()
	return credentials{key(b), certificate(b, "edge-1"), certificate(b, "noc")}
}

func key(b *testing.B) ssh.Signer {
	b.Helper()
	k, err := devicesim.GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	return k
}

func certificate(b *testing.B, name string) tls.Certificate {
	b.Helper()
	c, err := devicesim.GenerateCertificate(name, nil)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// call has a device call home to the address.
func (c credentials) call(b *testing.B, over callhome.Transport, address string) {
	b.Helper()
	options := devicesim.Options{Connect: address, Reconnect: -1}
	if over == callhome.TLS {
		options.TLS = &devicesim.TLS{Certificate: c.device, AnyClient: true}
	} else {
		options.HostKeys, options.Username, options.Password = []ssh.Signer{c.hostKey}, "netconf", "secret"
	}
	device, err := devicesim.New(options)
	if err != nil {
		b.Fatal(err)
	}
	background(b, func(ctx context.Context) { _ = device.Run(ctx) })
}

// connect opens a NETCONF session as a manager does. Over TLS the user and the
// password play no part.
func (c credentials) connect(b *testing.B, over callhome.Transport, address, user, password string) *netconf.Conn {
	b.Helper()
	if over == callhome.SSH {
		return settle(b, channel(b, address, user, password))
	}
	wire, err := tls.Dial("tcp", address, &tls.Config{Certificates: []tls.Certificate{c.manager}, InsecureSkipVerify: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { wire.Close() })
	return settle(b, wire)
}

func channel(b *testing.B, address, user, password string) ssh.Channel {
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
	return channel
}

// settle exchanges hellos.
func settle(b *testing.B, wire io.ReadWriteCloser) *netconf.Conn {
	b.Helper()
	c := netconf.NewConn(wire)
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

// splice connects a manager with a device by nothing but two TCP connections.
func splice(over callhome.Transport) func(*testing.B) *netconf.Conn {
	return func(b *testing.B) *netconf.Conn {
		south, north := listen(b), listen(b)
		c := newCredentials(b)
		c.call(b, over, south.Addr().String())
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
		return c.connect(b, over, north.Addr().String(), "netconf", "secret")
	}
}

// gatewayFor connects them through a gateway that speaks the same to both.
func gatewayFor(over callhome.Transport, sessions gateway.SessionMode, changes ...func(*gateway.Options)) func(*testing.B) *netconf.Conn {
	return func(b *testing.B) *netconf.Conn {
		c := newCredentials(b)
		port := freePort(b)
		options := c.options(b, over, port, sessions)
		for _, change := range changes {
			change(&options)
		}
		g, err := gateway.New(options)
		if err != nil {
			b.Fatal(err)
		}
		if err := g.Listen(); err != nil {
			b.Fatal(err)
		}
		server, err := callhome.New(callhome.Options{
			Entries: []callhome.Entry{{
				Name: "edge-1", Pins: []auth.Identity{c.identity(b, over)},
				User: &auth.User{Name: "fleet", Username: "netconf", Password: "secret", TLS: &auth.UserTLS{Certificate: c.manager}},
			}},
			Memory: noMemory{}, Attach: g.Attach,
		})
		if err != nil {
			b.Fatal(err)
		}
		south := listen(b)
		background(b, func(ctx context.Context) { _ = g.Serve(ctx) })
		background(b, func(ctx context.Context) {
			if over == callhome.TLS {
				_ = server.ServeTLS(ctx, south)
			} else {
				_ = server.Serve(ctx, south)
			}
		})
		c.call(b, over, south.Addr().String())
		return c.connect(b, over, fmt.Sprintf("127.0.0.1:%d", port), "noc", "right")
	}
}

func (c credentials) identity(b *testing.B, over callhome.Transport) auth.Identity {
	if over == callhome.SSH {
		return auth.SSHIdentity(c.hostKey.PublicKey())
	}
	return auth.Identity{Type: auth.TypeCertificate, Fingerprint: devicesim.FingerprintCertificate(c.device.Certificate[0])}
}

// options are those of a gateway with one device, on that port.
func (c credentials) options(b *testing.B, over callhome.Transport, port uint16, sessions gateway.SessionMode) gateway.Options {
	b.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		b.Fatal(err)
	}
	names, err := auth.NewCertNames([]auth.CertMap{{
		Fingerprint: devicesim.FingerprintCertificate(c.manager.Certificate[0]), Type: auth.CertMapSpecified, Name: "noc",
	}})
	if err != nil {
		b.Fatal(err)
	}
	own := certificate(b, "gateway")
	device := gateway.DeviceConfig{Name: "edge-1", Port: port, Sessions: sessions}
	if over == callhome.TLS {
		device.Port, device.TLSPort = 0, port
	}
	return gateway.Options{
		Wait: 10 * time.Second, HostKeys: []ssh.Signer{key(b)}, Devices: []gateway.DeviceConfig{device},
		Managers: []auth.Manager{{Name: "noc", PasswordHash: string(hash), Devices: []string{"*"}}},
		TLS: &gateway.TLSOptions{
			Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, Names: names,
		},
	}
}

func freePort(b *testing.B) uint16 {
	b.Helper()
	l := listen(b)
	defer l.Close()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
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

// noMemory is an auth.Memory that knows nobody.
type noMemory struct{}

func (noMemory) Approved(auth.Identity) (auth.Device, bool) { return auth.Device{}, false }
func (noMemory) Named(string) []auth.Device                 { return nil }
func (noMemory) Pin(auth.Device) error                      { return nil }
func (noMemory) NotePending(auth.Pending)                   {}
func (noMemory) Voucher(string) auth.Identity               { return auth.Identity{} }
func (noMemory) NoteVoucher(string, auth.Identity)          {}
