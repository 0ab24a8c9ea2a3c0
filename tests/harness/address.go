package harness

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
)

var addresses struct {
	sync.Mutex
	next int // guarded by the mutex
}

// Address returns a loopback address that nothing else uses, so that every
// gateway and every device of every test has all ports to itself.
func Address(t testing.TB) string {
	t.Helper()
	addresses.Lock()
	defer addresses.Unlock()
	for range 1 << 12 {
		n := addresses.next
		addresses.next++
		// another test process starts at another network
		addr := fmt.Sprintf("127.%d.%d.%d", 64+os.Getpid()%128, n/250%250, 1+n%250)
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
