// Package testport finds ports for tests that have to name one beforehand.
package testport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// Ports are those of one package: the tests of several run at once. They must
// be below 32768, where Linux begins to take the ports of outgoing connections
// from: one of those could be taken again before the test listens on it.
type Ports struct {
	first, n int
	given    atomic.Int64
}

// New returns the ports from first, n of them. Where it begins is random, for
// the same tests may run twice on a machine.
func New(first, n int) *Ports {
	p := &Ports{first: first, n: n}
	p.given.Store(rand.Int64N(int64(n)))
	return p
}

// stride leaves room for who takes a few ports in a row.
const stride = 13

// Free returns a port on which nobody listens at any address, and no port twice
// until all were given. It may be called concurrently.
func (p *Ports) Free(t testing.TB) uint16 {
	t.Helper()
	for range p.n {
		port := p.first + int(p.given.Add(1)*stride%int64(p.n))
		if ln, err := net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
			ln.Close()
			return uint16(port)
		}
	}
	t.Fatal("no port is free")
	return 0
}
