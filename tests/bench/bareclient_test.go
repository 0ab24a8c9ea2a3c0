package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"callhome-gateway/tests/harness"

	"golang.org/x/crypto/ssh"
)

// The bare client is this test binary, started again with these.
const (
	bareVariable     = "CHGW_BARE_ADDRESS"
	bareKindVariable = "CHGW_BARE_KIND"
)

// The kinds of a bare client: how far it goes with a device that has called.
const (
	bareHandshake = "handshake" // it is logged in
	bareSession   = "session"   // and a NETCONF session has exchanged hellos
)

const (
	bareAttached = "attached\n"
	// bareHandshakes are in progress at a time, as many as the gateway has.
	bareHandshakes = 64
)

// startBareClient starts the yardstick: the least that x/crypto can do for
// devices that call. It knows none of them and checks no key.
func startBareClient(b *testing.B, kind string) stormTarget {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	address := net.JoinHostPort(harness.Address(b), harness.CallHomePort)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), bareVariable+"="+address, bareKindVariable+"="+kind)
	p := harness.Start(b, "bare client", cmd)
	p.Output.Await(b, harness.StartTimeout, listening)
	return stormTarget{p, address, bareAttached}
}

// bareClient accepts calls until it fails.
func bareClient(address, kind string) error {
	calls, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	os.Stderr.WriteString(listening)
	places := make(chan struct{}, bareHandshakes)
	for {
		conn, err := calls.Accept()
		if err != nil {
			return err
		}
		go func() {
			places <- struct{}{}
			defer func() { <-places }()
			if err := attach(conn, kind); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

// attach logs in as the gateway does, with the same algorithms. The connection
// stays.
func attach(conn net.Conn, kind string) error {
	_ = conn.SetDeadline(time.Now().Add(patience))
	c, channels, requests, err := ssh.NewClientConn(conn, "device", &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: []string{ssh.KeyExchangeCurve25519}, Ciphers: []string{ssh.CipherAES128GCM}},
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		User:              harness.SimulatorName, Auth: []ssh.AuthMethod{ssh.Password(harness.Password)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		return err
	}
	client := ssh.NewClient(c, channels, requests)
	if kind == bareSession {
		if err := openBare(client); err != nil {
			return err
		}
	}
	_, err = os.Stderr.WriteString(bareAttached)
	return err
}

func openBare(client *ssh.Client) error {
	channel, err := openChannel(client)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(channel, harness.Hello(harness.Base10, harness.Base11)+harness.EndOfMessage); err != nil {
		return err
	}
	var hello strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(hello.String(), harness.EndOfMessage) {
		n, err := channel.Read(buf)
		if err != nil {
			return err
		}
		hello.Write(buf[:n])
	}
	return nil
}
