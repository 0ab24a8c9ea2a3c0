package callhome

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneSourceIsNotHeldAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Memory: &memory{}, MaxHeld: 8, RejectDelay: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		toTheEnd := make(chan netip.Addr, 12)
		for i := range 12 {
			from := addrA
			if i >= 6 {
				from = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
			}
			gateway, device := net.Pipe()
			defer device.Close()
			go func() {
				begin := time.Now()
				c := &call{server: s, conn: newCallConn(gateway), arrival: s.arrivalOf(from)}
				c.hold(t.Context())
				_ = c.conn.end()
				if time.Since(begin) == 5*time.Second {
					toTheEnd <- from
				}
			}()
			synctest.Wait()
			if i == 9 {
				time.Sleep(3 * time.Second) // long enough to make room for others
			}
		}
		time.Sleep(time.Minute)
		ones, others := 0, 0
		for len(toTheEnd) > 0 {
			if <-toTheEnd == addrA {
				ones++
			} else {
				others++
			}
		}
		if ones != 2 || others != 6 {
			t.Errorf("of the one source %d are held to the end, of 6 others %d", ones, others)
		}
		if s.held.Taken() != 0 {
			t.Error("something is left")
		}
	})
}
