package harness

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync/atomic"
	"testing"
)

var namespaces atomic.Int32

// Network is a network namespace with one wire to this one. A device in it can
// be cut off so that nobody acknowledges for it, as loopback cannot be.
type Network struct {
	// Name is the namespace's.
	Name string
	// Here and There are the addresses of the two ends of the wire.
	Here, There string
	wire        string // this end's interface
}

// NewNetwork makes a namespace. It is removed with the test.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	Need(t, "netns")
	n := int(namespaces.Add(1))
	// 198.18.0.0/15 is for tests of networks (RFC 2544): nobody else's
	subnet := (os.Getpid()*16 + n) % (1 << 14)
	at := func(host int) string { return fmt.Sprintf("198.18.%d.%d", subnet/64, subnet%64*4+host) }
	w := &Network{Name: fmt.Sprintf("chgw%d-%d", os.Getpid(), n), Here: at(1), There: at(2), wire: fmt.Sprintf("chgw%d", subnet)}
	ip := func(arguments ...string) { run(t, exec.Command("ip", arguments...)) }
	ip("netns", "add", w.Name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", w.Name).Run() }) // the wire goes with it
	ip("link", "add", w.wire, "type", "veth", "peer", "name", "wire", "netns", w.Name)
	ip("addr", "add", w.Here+"/30", "dev", w.wire)
	ip("link", "set", w.wire, "up")
	ip("-n", w.Name, "addr", "add", w.There+"/30", "dev", "wire")
	ip("-n", w.Name, "link", "set", "wire", "up")
	ip("-n", w.Name, "link", "set", "lo", "up")
	return w
}

// CutConnections makes the device's side throw away, from now on and for good,
// whatever the TCP connections that exist now would send: their other ends
// hear nothing any more, not even that the device was killed. New connections
// are not touched.
func (w *Network) CutConnections(t testing.TB) {
	t.Helper()
	ports := regexp.MustCompile(regexp.QuoteMeta(w.There)+`:(\d+)`).
		FindAllStringSubmatch(run(t, exec.Command("ip", "netns", "exec", w.Name, "ss", "-Htn")), -1)
	if len(ports) == 0 {
		t.Fatal("there is no connection to cut")
	}
	for _, port := range ports {
		run(t, exec.Command("ip", "-n", w.Name, "rule", "add", "ipproto", "tcp", "sport", port[1], "blackhole"))
	}
}
