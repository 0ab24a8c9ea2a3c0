// Strangers is a flood: as many connections to one port as it is told, each
// made anew when the other side closes it, from addresses of their own.
//
//	strangers [-connections N] [-addresses N | -source ADDRESS] HOST:PORT KIND...
//
// Ten times a second it writes a line "tally REACHED OPEN MADE FAILED": how many
// of its connections were there once, how many are, how many were made in all,
// and how many could not be made. It runs until it is killed.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	var f flood
	flag.IntVar(&f.connections, "connections", 1, "how many there are at a time")
	flag.IntVar(&f.addresses, "addresses", 0, "how many addresses they come from (default: as many)")
	source := flag.String("source", "", "the one address that all come from")
	flag.Parse()
	if *source != "" {
		f.source = netip.MustParseAddr(*source)
	}
	f.addresses = max(f.addresses, f.connections)
	f.target, f.first = flag.Arg(0), rand.Uint32N(1<<22)
	for _, name := range flag.Args()[min(1, flag.NArg()):] {
		if kinds[name] == nil {
			fmt.Fprintf(os.Stderr, "no kind %q\n", name)
			return 2
		}
		f.kinds = append(f.kinds, kinds[name])
	}
	if len(f.kinds) == 0 {
		flag.Usage()
		return 2
	}
	for i := range f.connections {
		go f.keep(i)
	}
	for range time.Tick(100 * time.Millisecond) {
		fmt.Println("tally", f.reached.Load(), f.open.Load(), f.made.Load(), f.failed.Load())
	}
	return 0
}

type flood struct {
	target                 string
	source                 netip.Addr
	connections, addresses int
	kinds                  []func(net.Conn)
	first                  uint32 // of the addresses

	reached, open, made, failed atomic.Int64
}

// keep keeps the connection of this number, and makes it anew from the next
// address that is its own.
func (f *flood) keep(number int) {
	kind, reached := f.kinds[number%len(f.kinds)], false
	for next := number; ; next += f.connections {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: f.address(next % f.addresses)}, KeepAlive: -1}
		conn, err := dialer.Dial("tcp", f.target)
		if err != nil {
			f.failed.Add(1)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if !reached {
			reached = true
			f.reached.Add(1)
		}
		f.made.Add(1)
		f.open.Add(1)
		kind(conn)
		f.open.Add(-1)
		_ = conn.Close()
	}
}

// address is in 127.128.0.0/9, where the tests have none of their own.
func (f *flood) address(number int) net.IP {
	if f.source.IsValid() {
		return f.source.AsSlice()
	}
	n := f.first + uint32(number)
	return net.IPv4(127, 0x80|byte(n>>16), byte(n>>8), byte(n))
}
