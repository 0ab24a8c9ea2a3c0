package callhome

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
)

// flapped has a link of the device end after so long, for that reason.
func (f *flaps) flapped(device string, lasted time.Duration, why error) {
	l := &Link{name: device, identity: testIdentity(device), since: time.Now(), err: why}
	time.Sleep(lasted)
	f.ended(l)
}

func (f *flaps) keepsOut(device string) bool {
	return f.rejects(&binding{name: device, identity: testIdentity(device)}) != nil
}

var byDevice = describeNetwork(io.EOF)

func TestADeviceThatFlapsIsKeptOutForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlaps(hclog.NewNullLogger())
		for i := range flapsAtOnce {
			f.flapped("edge-1", time.Second, byDevice)
			if f.keepsOut("edge-1") {
				t.Fatalf("kept out after %d links", i+1)
			}
		}
		f.flapped("edge-1", time.Second, byDevice)
		if !f.keepsOut("edge-1") || f.keepsOut("edge-2") {
			t.Fatal("one link too many and it is let in, or another is not")
		}
		if f.rejects(&binding{name: "edge-1", unpinned: true, unvouched: true}) != nil {
			t.Error("somebody who makes up a key learns about the device")
		}
		list := f.list()
		if len(list) != 1 || list[0].device != "edge-1" || time.Until(list[0].until) != flapHold || list[0].detail != byDevice.Error() {
			t.Errorf("listed: %+v", list)
		}
		time.Sleep(flapHold - 1)
		if !f.keepsOut("edge-1") {
			t.Error("let in too early")
		}
		time.Sleep(time.Nanosecond)
		if f.keepsOut("edge-1") || len(f.list()) > 0 {
			t.Error("it is still kept out")
		}
		// It begins anew.
		for range flapsAtOnce {
			f.flapped("edge-1", 0, byDevice)
		}
		if f.keepsOut("edge-1") {
			t.Error("kept out again too early")
		}
	})
}

func TestWhatIsNoFlap(t *testing.T) {
	for name, link := range map[string]struct {
		lasted, apart time.Duration
		why           error
	}{
		"long enough":          {shortLink, 0, byDevice},
		"ended by the gateway": {0, 0, errors.New("ended by an operator")},
		"settings":             {0, 0, fmt.Errorf("the configuration changed: %w", reject(RejectedNetwork, ""))},
		"shutdown":             {0, 0, errShutdown},
		"seldom":               {0, shortLink, byDevice},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFlaps(hclog.NewNullLogger())
			for range 100 {
				f.flapped("edge-1", link.lasted, link.why)
				time.Sleep(link.apart)
			}
			if f.keepsOut("edge-1") {
				t.Errorf("%s: kept out", name)
			}
		})
	}
}

func TestAnOperatorLetsADeviceInThatFlapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Memory: &memory{}})
		if err != nil {
			t.Fatal(err)
		}
		flap := func(device string) {
			for range flapsAtOnce + 1 {
				s.flaps.flapped(device, 0, byDevice)
			}
		}
		flap("edge-1")
		flap("edge-2")
		s.failures.Mark(testIdentity("edge-1"), "fleet", time.Now())
		s.failures.Mark(testIdentity("edge-2"), "fleet", time.Now())
		for range maxBroken {
			s.broken.note(testIdentity("edge-1"))
		}
		if n := s.ClearFailures(func(f auth.Failure) bool { return f.User == "old" }); n != 0 {
			t.Errorf("%d of another user", n)
		}
		if n := s.ClearFailures(func(f auth.Failure) bool { return f.Identity == testIdentity("edge-1") }); n != 3 {
			t.Errorf("%d of the device, want 3", n)
		}
		if s.flaps.keepsOut("edge-1") || s.broken.tooMany(testIdentity("edge-1")) || len(s.Failures()) != 1 {
			t.Error("not all is forgotten")
		}
		if kept := s.flaps.list(); len(kept) != 1 || kept[0].device != "edge-2" {
			t.Errorf("%+v is kept out", kept)
		}
		// What ends later is not this one's any more.
		time.Sleep(flapHold - 1)
		flap("edge-1")
		time.Sleep(time.Nanosecond)
		if !s.flaps.keepsOut("edge-1") {
			t.Error("the first end has ended the second")
		}
	})
}

func TestDevicesThatAreKeptOutAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlaps(hclog.NewNullLogger())
		for i := range maxFlapping + 1 {
			for range flapsAtOnce + 1 {
				f.flapped(fmt.Sprint(i), 0, byDevice)
			}
		}
		if n := len(f.list()); n != maxFlapping {
			t.Errorf("%d", n)
		}
	})
}
