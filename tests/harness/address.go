package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

var addresses struct {
	sync.Mutex
	next int // guarded by the mutex
}

// network is where this process begins, so that two that run at the same time
// hardly meet.
var network = rand.IntN(1 << 14)

// Address returns a loopback address that nothing else uses, so that every
// gateway and every device of every test has all ports to itself.
func Address(t testing.TB) string {
	t.Helper()
	addresses.Lock()
	defer addresses.Unlock()
	for range 1 << 12 {
		n := addresses.next
		addresses.next++
		at := network + n/250
		addr := fmt.Sprintf("127.%d.%d.%d", 64+at>>8&0x3f, at&0xff, 1+n%250)
		if isFree(addr) {
			return addr
		}
	}
	t.Fatal("no loopback address is free")
	return ""
}

func isFree(addr string) bool {
	for _, port := range []string{CallHomePort, SharedPort} {
		l, err := net.Listen("tcp", net.JoinHostPort(addr, port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
