package callhome

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
)

func TestSourceOfNothingGoodIsSecondClassForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exempt := netip.MustParseAddr("198.51.100.1")
		s, err := New(Options{Memory: &memory{}, Sources: auth.Sources{Exempt: []netip.Prefix{netip.PrefixFrom(exempt, 24)}}})
		if err != nil {
			t.Fatal(err)
		}
		source := func(a netip.Addr) netip.Prefix { return s.arrivalOf(a).Source }
		want := func(a netip.Addr, is bool) {
			t.Helper()
			if got := s.arrivalOf(a).Penalised; got != is {
				t.Errorf("%s is penalised: %t", a, got)
			}
		}
		// One bad device behind a NAT calls again and again: it has time for that.
		for range 100 {
			s.standings.blame(source(addrA))
			want(addrA, false)
			time.Sleep(5 * time.Second)
		}
		for range 100 {
			s.standings.blame(source(addrA))
			s.standings.blame(source(exempt))
		}
		want(addrA, true)
		want(addrB, false)
		want(exempt, false)
		// A neighbour gets in, and its network has a good name while it is.
		s.standings.attached(source(addrA))
		want(addrA, false)
		s.standings.detached(source(addrA))
		want(addrA, true)
		time.Sleep(maxDebt)
		want(addrA, false)
		if len(s.standings.links) != 0 {
			t.Error("a link is left")
		}
	})
}

func TestSourceOfADeviceIsKnownForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Memory: &memory{}})
		if err != nil {
			t.Fatal(err)
		}
		want := func(when string, is bool) {
			t.Helper()
			if got := s.arrivalOf(addrA).Known; got != is {
				t.Errorf("%s: known is %t", when, got)
			}
		}
		source := s.arrivalOf(addrA).Source
		want("at first", false)
		s.standings.attached(source)
		time.Sleep(2 * knownFor)
		want("connected", true)
		s.standings.detached(source)
		want("away", true)
		time.Sleep(knownFor)
		want("away for long", false)
	})
}

func TestWhatCountsAgainstASource(t *testing.T) {
	for _, c := range []struct {
		reason     Reason
		identified bool
		evicted    bool
		want       bool
	}{
		{FailedPreamble, false, false, true},
		{FailedHandshake, false, false, true},
		{TimedOut, false, false, true},
		{RejectedUntrusted, true, false, true},
		{RejectedSelfSigned, true, false, true},
		{RejectedLimit, false, true, true},
		// These do what they should.
		{RejectedLimit, false, false, false},
		{RejectedPending, true, false, false},
		{RejectedWrongUser, true, false, false},
		{RejectedInUse, true, false, false},
		{RejectedKeyChanged, true, false, false},
		{FailedLogin, true, false, false},
		{TimedOut, true, false, false},
	} {
		call := &call{evicted: c.evicted}
		if c.identified {
			call.binding = &binding{}
		}
		if got := call.blames(c.reason); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestPinsOnFirstUseAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Memory: &memory{}, Trust: auth.TrustFirstUse})
		if err != nil {
			t.Fatal(err)
		}
		pinned := 0
		pin := func(source netip.Addr) *rejection {
			pinned++
			c := &call{server: s, arrival: s.arrivalOf(source), binding: &binding{name: fmt.Sprint("dev-", pinned), unpinned: true, unvouched: true}}
			return c.pin()
		}
		for i := range firstPins {
			if r := pin(addrA); r != nil {
				t.Fatalf("new device %d: %v", i, r)
			}
		}
		if r := pin(addrA); r == nil || r.reason != RejectedLimit {
			t.Errorf("one too many: %v", r)
		}
		if r := pin(addrB); r != nil {
			t.Errorf("from elsewhere: %v", r)
		}
		time.Sleep(pinInterval)
		if r := pin(addrA); r != nil {
			t.Errorf("a minute later: %v", r)
		}
		known := &call{server: s, arrival: s.arrivalOf(addrA), binding: &binding{name: "dev-1"}}
		if r := known.pin(); r != nil {
			t.Errorf("one that is known: %v", r)
		}
	})
}
