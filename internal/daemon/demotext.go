package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/ssh"
)

// introduce waits until the devices have called, reaches one of them as a
// manager would, and prints how to go on.
func (d *demo) introduce(ctx context.Context, a Addresses) error {
	ctx, cancel := context.WithTimeout(ctx, demoStart)
	defer cancel()
	devices, err := waitForDevices(ctx, control.NewClient(a.Control))
	if err != nil {
		return err
	}
	first := devices[0]
	shared := net.JoinHostPort(d.config.Gateway.Address.String(), strconv.Itoa(int(d.config.Gateway.Port)))
	reply, err := d.ask(ctx, shared, first.Name, a.HostKeys[0])
	if err != nil {
		return fmt.Errorf("reaching %s through the gateway: %w", first.Name, err)
	}
	_, err = io.WriteString(d.out, d.text(a, devices, shared, reply))
	return err
}

// waitForDevices returns the devices once each is connected or pending.
func waitForDevices(ctx context.Context, client *control.Client) ([]control.Device, error) {
	for {
		devices, err := client.Devices(ctx)
		if err != nil {
			return nil, err
		}
		there := 0
		for _, device := range devices {
			if device.State != control.StateAway {
				there++
			}
		}
		if there == len(demoDevices) {
			return devices, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("only %d of %d devices have called: %w", there, len(demoDevices), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ask does what any manager does: it logs in over SSH and asks the device for
// its configuration.
func (d *demo) ask(ctx context.Context, address, device string, key ssh.PublicKey) (string, error) {
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer tcp.Close()
	stop := context.AfterFunc(ctx, func() { _ = tcp.Close() })
	defer stop()
	conn, channels, requests, err := ssh.NewClientConn(tcp, address, &ssh.ClientConfig{
		User:            demoManager + "@" + device,
		Auth:            []ssh.AuthMethod{ssh.Password(demoPassword)},
		HostKeyCallback: ssh.FixedHostKey(key),
		// The key that is compared, and no other.
		HostKeyAlgorithms: []string{key.Type()},
	})
	if err != nil {
		return "", err
	}
	client := ssh.NewClient(conn, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	return getConfig(session)
}

const demoRequest = `<rpc message-id="1" xmlns="` + netconf.NamespaceBase + `"><get-config><source><running/></source></get-config></rpc>`

func getConfig(session *ssh.Session) (string, error) {
	in, err := session.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := session.RequestSubsystem("netconf"); err != nil {
		return "", err
	}
	w, r := netconf.NewWriter(in), netconf.NewReader(out)
	own := &netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}}
	if err := w.WriteDocument(own.Document()); err != nil {
		return "", err
	}
	if _, err := netconf.ReadHello(r); err != nil {
		return "", err
	}
	if err := w.WriteDocument([]byte(demoRequest)); err != nil {
		return "", err
	}
	reply, err := r.Next()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(reply.Body, 4096))
	return string(text), err
}

func (d *demo) text(a Addresses, devices []control.Device, shared, reply string) string {
	var b strings.Builder
	first, pending := devices[0], devices[len(devices)-1]
	program := thisProgram()
	host, port, _ := net.SplitHostPort(shared)
	fmt.Fprintf(&b, `
A gateway is running on this machine, and %d simulated devices have called home
to it, over SSH (%s) and over TLS (%s).
It has logged in to %s, asked for the configuration like any NETCONF
manager, through the shared port %s, and got:

%s

Reach a device yourself; the password is %q.

  on the shared port, naming the device:
    ssh -p %s -l %s@%s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null %s -s netconf

  on the device's own port, as every NETCONF client can:
    ssh -p %d -l %s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null %s -s netconf
    python3 -c 'from ncclient import manager; print(manager.connect(host="%s", port=%d, username="%s", password="%s", hostkey_verify=False).get_config("running"))'

See what the gateway knows:
    %s device list --socket %s

One device is not trusted yet, and was told nothing. Approve it; it attaches at
its next call, a few seconds later:
    %s device approve %s --name %s --socket %s

Ctrl-C ends the demo and removes all of it.

`, len(devices), a.Callhome, a.CallhomeTLS, first.Name, port, indent(reply), demoPassword,
		port, demoManager, first.Name, host,
		first.Port, demoManager, host,
		host, first.Port, demoManager, demoPassword,
		program, a.Control,
		program, pending.Identity, demoDevices[len(demoDevices)-1], a.Control)
	return b.String()
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ")
}

// thisProgram is how the newcomer runs the program: "go run" builds it into a
// temporary folder, whose name nobody wants to type.
func thisProgram() string {
	if path, err := os.Executable(); err == nil && !strings.Contains(path, "go-build") {
		return path
	}
	return "go run ./cmd/callhome-gateway"
}
