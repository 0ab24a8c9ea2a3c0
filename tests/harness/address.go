package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

const perNetwork = 250

var addresses struct {
	sync.Mutex
	network string         // 127.x.y, this process's own
	claims  []net.Listener // what keeps other test processes off its networks
	next    int
}

// Address returns a loopback address that nothing else uses, so that every
// gateway and every device of every test has all ports to itself.
//
// It opens none of these ports to find out: a process that is being started
// at that moment holds a copy of the socket until it has become another
// program, and who then opens the port for good finds it in use.
func Address(t testing.TB) string {
	t.Helper()
	addresses.Lock()
	defer addresses.Unlock()
	if addresses.network == "" || addresses.next == perNetwork {
		if err := claimNetwork(); err != nil {
			t.Fatal(err)
		}
	}
	addresses.next++
	return fmt.Sprintf("%s.%d", addresses.network, addresses.next)
}

// claimNetwork takes one of 2^14 networks for as long as the process lives,
// under the lock of addresses. A full network stays taken.
func claimNetwork() error {
	var err error
	for range 1 << 10 {
		n := rand.IntN(1 << 14)
		network := fmt.Sprintf("127.%d.%d", 64+n>>8, n&0xff)
		var l net.Listener
		if l, err = net.Listen("tcp", network+".254:1"); err == nil {
			addresses.claims = append(addresses.claims, l)
			addresses.network, addresses.next = network, 0
			return nil
		}
	}
	return fmt.Errorf("claiming a loopback network: %w", err)
}
