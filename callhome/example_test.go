package callhome_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// An application accepts one device whose key it knows, and learns what the
// device can do.
func ExampleServer() {
	key, _ := devicesim.KeyFromSeed("example", 0)
	links := make(chan *callhome.Link, 1)
	server, err := callhome.New(callhome.Options{
		Entries: []callhome.Entry{{
			Name: "edge-1",
			Pins: []auth.Identity{auth.SSHIdentity(key.PublicKey())},
			User: &auth.User{Name: "fleet", Username: "netconf", Password: "secret"},
		}},
		Memory: &memory{},
		Attach: func(l *callhome.Link) { links <- l },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()

	called := exampleDevice(ctx, listener.Addr().String(), key)
	link := <-links
	fmt.Println(link.Name(), "is connected over", link.Transport())
	fmt.Println(link.Control().Hello().Capabilities[0])
	cancel()
	<-called
	fmt.Println(<-served)
	// Output:
	// edge-1 is connected over ssh
	// urn:ietf:params:netconf:base:1.0
	// <nil>
}

// A device that calls over TLS carries one NETCONF session, which an
// application takes over with Link.Trunk.
func ExampleServer_ServeTLS() {
	own, _ := devicesim.GenerateCertificate("gateway", nil)
	theirs, _ := devicesim.GenerateCertificate("edge-1", nil)
	certificate, _ := x509.ParseCertificate(theirs.Certificate[0])
	links := make(chan *callhome.Link, 1)
	server, err := callhome.New(callhome.Options{
		Entries: []callhome.Entry{{
			Name: "edge-1",
			Pins: []auth.Identity{auth.CertificateIdentity(certificate)},
			User: &auth.User{Name: "fleet", TLS: &auth.UserTLS{Certificate: own}},
		}},
		Memory: &memory{},
		Attach: func(l *callhome.Link) { links <- l },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(ctx, listener) }()
	called := exampleCall(ctx, devicesim.Options{
		Connect: listener.Addr().String(), TLS: &devicesim.TLS{Certificate: theirs, AnyClient: true}, Reconnect: -1,
	})

	link, replies := <-links, make(chan string)
	trunk := link.Trunk(func(reply *callhome.Message) { replies <- reply.Head.ID })
	request := `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="7"><get/></rpc>`
	_ = trunk.Send(&callhome.Message{
		Head: callhome.Head{Kind: callhome.KindRPC}, Size: int64(len(request)), Body: strings.NewReader(request),
	})
	fmt.Println(link.Name(), "has answered", <-replies, "over", link.Transport())
	cancel()
	<-called
	fmt.Println(<-served)
	// Output:
	// edge-1 has answered 7 over tls
	// <nil>
}

// Other options are checked, and put into force while calls come in: links end
// where their devices would not come in any more as they did.
func ExampleServer_Use() {
	options := callhome.Options{Memory: &memory{}, Users: []*auth.User{{Name: "fleet", Username: "netconf", Password: "secret"}}}
	server, err := callhome.New(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	options.Entries = []callhome.Entry{{Name: "edge-1"}}
	if _, err := server.Check(options, nil); err != nil {
		fmt.Println(err)
	}
	options.Entries[0].DeviceID = "MX480.lab"
	settings, err := server.Check(options, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Use(settings), "links end")
	// Output:
	// callhome: session entry edge-1 has no address, pins, expected names or device id to match a device by
	// 0 links end
}

// The user-select hook chooses the credential by the address of the caller.
func ExampleUserSelect() {
	lab := &auth.User{Name: "lab", Username: "admin", Password: "admin"}
	_, err := callhome.New(callhome.Options{
		Memory: &memory{},
		Trust:  auth.TrustApprove,
		UserSelect: func(_ context.Context, call callhome.CallInfo) (callhome.Selection, error) {
			switch {
			case call.Remote.Addr().IsLoopback():
				return callhome.Selection{User: lab}, nil
			case !call.Remote.Addr().IsPrivate():
				return callhome.Selection{Reject: true, Reason: "not from the Internet"}, nil
			}
			return callhome.Selection{}, nil // no opinion
		},
	})
	fmt.Println(err)
	// Output: <nil>
}

// exampleDevice calls once; the channel is closed when the call has ended.
func exampleDevice(ctx context.Context, connect string, key ssh.Signer) <-chan struct{} {
	return exampleCall(ctx, devicesim.Options{
		Connect: connect, HostKeys: []ssh.Signer{key}, Username: "netconf", Password: "secret", Reconnect: -1,
	})
}

func exampleCall(ctx context.Context, o devicesim.Options) <-chan struct{} {
	ended := make(chan struct{})
	device, err := devicesim.New(o)
	if err != nil {
		panic(err)
	}
	go func() { defer close(ended); _ = device.Run(ctx) }()
	return ended
}
