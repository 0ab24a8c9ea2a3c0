package tests

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// overVersions runs a test with each version of the PROXY protocol.
func overVersions(t *testing.T, test func(t *testing.T, version int)) {
	t.Helper()
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

// firstUse trusts a device that only its address tells.
func firstUse(proxy string, more ...string) harness.Config {
	return harness.Config{
		Callhome: append(more, fmt.Sprintf("proxies = [%q]", proxy), `trust = "first-use"`, `users = ["fleet"]`, `reject_delay = "0s"`),
		Gateway:  []string{fmt.Sprintf("proxies = [%q]", proxy)},
		Blocks:   []string{strings.Replace(harness.SimulatorUser("fleet"), "{\n", "{\n  first_use_password = true\n", 1)},
	}
}

// logs waits until the gateway has a line in its log with all of these in it.
func logs(t *testing.T, g *harness.Gateway, parts ...string) {
	t.Helper()
	harness.Eventually(t, harness.ReplyTimeout, "a line of the log with "+strings.Join(parts, " and "), func() bool {
		return slices.ContainsFunc(g.Output.Lines(parts[0]), func(line string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
		})
	})
}

func addressEntry(name, address string) string {
	return fmt.Sprintf("session %q {\n  address = %q\n  user = \"fleet\"\n}\n", name, address)
}

func TestADeviceBehindHAProxyIsMatchedByItsOwnAddress(t *testing.T) {
	t.Parallel()
	overVersions(t, func(t *testing.T, version int) {
		proxy, device, denied := harness.HAProxy{Address: harness.Address(t), Version: version}, harness.Address(t), harness.Address(t)
		c := firstUse(proxy.Address, fmt.Sprintf("deny = [%q]", denied))
		c.Blocks = append(c.Blocks, addressEntry("edge-1", device))
		g := harness.StartGateway(t, c)
		proxy.Start(t, g.Address)
		call := func(source string) {
			harness.NewSimulator(t, harness.NewKey(t), devicesim.Options{
				Connect: net.JoinHostPort(proxy.Address, harness.CallHomePort), Source: netip.MustParseAddr(source), Reconnect: -1,
			})
		}
		call(device)
		if got := g.AwaitConnected(t, "edge-1").Address; !strings.HasPrefix(got, device) {
			t.Errorf("it is shown with the address %s, not %s", got, device)
		}
		if stdout, _, _ := g.Run(t, "device", "show", "edge-1"); !strings.Contains(stdout, device) || strings.Contains(stdout, proxy.Address) {
			t.Errorf("device show does not have %s:\n%s", device, stdout)
		}
		logs(t, g, "reason=accepted", "remote="+device+":")
		call(denied)
		logs(t, g, "reason=rejected-network", "remote="+denied+":")
		logs(t, g, "a proxy looks whether somebody listens", "[DEBUG]")
		if lines := g.Output.Lines("a call was not accepted"); len(lines) != 1 {
			t.Errorf("health checks have outcomes: %q", lines)
		}
	})
}

func TestADeviceOfAnotherMakeBehindHAProxy(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, o harness.LibnetconfOptions) {
		d := &harness.NewLibnetconf(t, o).Device
		proxy := harness.HAProxy{Address: harness.Address(t), Version: 2}
		g := harness.StartGateway(t, harness.Config{
			Callhome: []string{fmt.Sprintf("proxies = [%q]", proxy.Address)},
			Gateway:  []string{fmt.Sprintf("proxies = [%q]", proxy.Address)},
			Blocks:   []string{d.UserEntry("fleet"), d.SessionEntry("edge-1", "fleet", 0)},
		})
		proxy.Start(t, g.Address)
		d.CallHome(t, proxy.Address)
		if got := g.AwaitConnected(t, "edge-1").Address; strings.HasPrefix(got, proxy.Address) {
			t.Errorf("it is shown with the proxy's address, %s", got)
		}
		target := g.SharedTarget("edge-1")
		target.Address = net.JoinHostPort(proxy.Address, harness.SharedPort)
		answersWithin(t, harness.ConnectTo(t, d, target, harness.Base11).Session, harness.ReplyTimeout)
		overTLS := g.SharedTLSTarget("edge-1")
		overTLS.Address = net.JoinHostPort(proxy.Address, harness.SharedTLSPort)
		answersWithin(t, harness.ConnectTLS(t, overTLS, harness.Base11), harness.ReplyTimeout)
		logs(t, g, "a manager has logged in", "transport=ssh", "remote=127.0.0.1:")
		logs(t, g, "a manager has logged in", "transport=tls", "remote=127.0.0.1:")
	})
}

func TestAManagerBehindHAProxyIsTurnedAwayByItsOwnAddress(t *testing.T) {
	t.Parallel()
	overVersions(t, func(t *testing.T, version int) {
		proxy, denied := harness.HAProxy{Address: harness.Address(t), Version: version}, harness.Address(t)
		g := harness.StartGateway(t, harness.Config{Gateway: []string{
			fmt.Sprintf("proxies = [%q]", proxy.Address), fmt.Sprintf("deny = [%q]", denied),
		}})
		proxy.Start(t, g.Address)
		shared := net.JoinHostPort(proxy.Address, harness.SharedPort)
		if got := greeting(t, harness.Address(t), shared); !strings.HasPrefix(got, "SSH-2.0-") {
			t.Errorf("a manager from elsewhere is greeted with %q", got)
		}
		if got := greeting(t, denied, shared); got != "" {
			t.Errorf("a manager whose network is denied is greeted with %q", got)
		}
		logs(t, g, "remote="+denied+" ")
	})
}

// greeting is what comes first on a connection from the source; empty where the
// other side ends it.
func greeting(t *testing.T, source, to string) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(harness.ReplyTimeout)); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("SSH-2.0-"))
	n, err := io.ReadFull(conn, first)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection from %s stays open", source)
	}
	return string(first[:n])
}

// A stranger who writes the header that a proxy would write is a stranger.
func TestAHeaderFromWhoIsNoProxyIsNotBelieved(t *testing.T) {
	t.Parallel()
	device, stranger := harness.Address(t), harness.Address(t)
	c := firstUse(harness.Address(t))
	c.Blocks = append(c.Blocks, addressEntry("edge-1", device))
	g := harness.StartGateway(t, c)
	harness.NewSimulator(t, harness.NewKey(t), devicesim.Options{
		Connect: g.CallHome(), Source: netip.MustParseAddr(stranger), Reconnect: -1,
		OnConnect: func(conn net.Conn) { fmt.Fprintf(conn, "PROXY TCP4 %s %s 1234 4334\r\n", device, g.Address) },
	})
	logs(t, g, "reason=failed-preamble", "not one of the proxies", "remote="+stranger+":")
	if state := g.Device(t, "edge-1").State; state == "connected" {
		t.Error("it is taken for the device whose address it tells")
	}
}

// HAProxy acknowledges for a device that is gone: without a reply, nobody knows.
func TestALinkThroughHAProxyEndsWhenTheNetworkBehindItGoesSilent(t *testing.T) {
	t.Parallel()
	network := harness.NewNetwork(t)
	d := harness.NewLibnetconf(t, harness.LibnetconfOptions{Namespace: network.Name})
	proxy := harness.HAProxy{Address: network.Here, Source: harness.Address(t), Version: 2}
	g := harness.StartGateway(t, harness.Config{
		Callhome: []string{fmt.Sprintf("proxies = [%q]", proxy.Source), `keepalive_interval = "1s"`, `dead_after = "4s"`},
		Blocks:   []string{d.UserEntry("fleet"), d.SessionEntry("edge-1", "fleet", 0)},
	})
	proxy.Start(t, g.Address)
	call := d.CallHome(t, proxy.Address)
	port := int(awaitPort(t, g))
	manager := harness.ConnectTo(t, &d.Device, g.Target(port), harness.Base11)
	network.CutConnections(t)
	cut := time.Now()
	endsCleanly(t, manager, cut, 10*time.Second)
	t.Logf("ended after %v", time.Since(cut).Round(time.Millisecond))
	logs(t, g, "a device is away", "the device has answered nothing")
	call.Kill()
	d.CallHome(t, proxy.Address)
	if got := g.AwaitConnected(t, "edge-1").Address; !strings.HasPrefix(got, network.There) {
		t.Errorf("it is shown with the address %s, not %s", got, network.There)
	}
}
