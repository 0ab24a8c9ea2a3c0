package bench

import (
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"

	"callhome-gateway/tests/harness"
)

// The splice is this test binary, started again with these addresses.
const (
	southVariable = "CHGW_SPLICE_SOUTH"
	northVariable = "CHGW_SPLICE_NORTH"
	// tlsVariable makes it a splice that speaks TLS itself, see newEnds.
	tlsVariable = "CHGW_SPLICE_TLS"
)

// startSplice starts the yardstick: a process that joins the call of a device
// to the connection of a manager and copies both ways.
func startSplice(b *testing.B, environment ...string) (south, north string) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	host := harness.Address(b)
	south, north = net.JoinHostPort(host, harness.CallHomePort), net.JoinHostPort(host, harness.SharedPort)
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), southVariable+"="+south, northVariable+"="+north), environment...)
	p := harness.Start(b, "splice", cmd)
	p.Output.Await(b, harness.StartTimeout, listening)
	return south, north
}

const listening = "listening\n"

// splice serves one pair of connections after the other until it fails.
func splice(south, north, overTLS string) error {
	wrap, err := newEnds(overTLS)
	if err != nil {
		return err
	}
	devices, err := net.Listen("tcp", south)
	if err != nil {
		return err
	}
	managers, err := net.Listen("tcp", north)
	if err != nil {
		return err
	}
	os.Stderr.WriteString(listening)
	for {
		device, err := devices.Accept()
		if err != nil {
			return err
		}
		manager, err := managers.Accept()
		if err != nil {
			return err
		}
		join(wrap.device(device), wrap.manager(manager))
	}
}

// join copies both ways until either side ends.
func join(device, manager net.Conn) {
	var copying sync.WaitGroup
	pump := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // its end is the end of both
		to.Close()
		from.Close()
	}
	copying.Go(func() { pump(device, manager) })
	copying.Go(func() { pump(manager, device) })
	copying.Wait()
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}
