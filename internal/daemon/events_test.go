package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/control"
)

// told returns the kinds of the events that are kept, with who they are about.
func told(l *events) (list []string) {
	for _, e := range l.recent() {
		list = append(list, strings.TrimSpace(e.Kind+" "+e.Device))
	}
	return list
}

func rejected(device string, reason callhome.Reason) callhome.Outcome {
	return callhome.Outcome{Time: time.Now(), Reason: reason, Device: device, Remote: netip.MustParseAddrPort("192.0.2.1:1234")}
}

func TestEventsAreKeptInOrder(t *testing.T) {
	l := newEvents()
	l.called(callhome.Outcome{Reason: callhome.Accepted, Device: "edge-1", Transport: callhome.SSH, User: "fleet"}, true)
	l.SessionBegins(gateway.SessionRecord{Manager: "noc", Device: "edge-1"})
	l.operator("edge-1", "renamed as %s", "edge-2")
	l.SessionEnds(gateway.SessionEnd{SessionRecord: gateway.SessionRecord{Manager: "noc", Device: "edge-1"}, Reason: "it left"})
	l.reloaded(control.ReloadResult{}, errors.New("no such file"))
	want := "connected edge-1,session-begin edge-1,operator edge-1,session-end edge-1,reload"
	if got := strings.Join(told(l), ","); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i, e := range l.recent() {
		if e.Number != uint64(i)+1 {
			t.Errorf("event %d has the number %d", i, e.Number)
		}
	}
}

// Managers that come and go do not wash away what devices did.
func TestTheLatestEventsOfEachSortAreKept(t *testing.T) {
	l := newEvents()
	for n := range maxEvents + 7 {
		l.operator("", "%d", n)
	}
	for range 3 * maxEvents {
		l.SessionBegins(gateway.SessionRecord{})
	}
	list := l.recent()
	if len(list) != 2*maxEvents || list[0].Detail != "7" || list[maxEvents-1].Detail != fmt.Sprint(maxEvents+6) || list[2*maxEvents-1].Number != 4*maxEvents+7 {
		t.Errorf("%d events, the first %+v", len(list), list[0])
	}
}

func TestTheTextOfAnEventIsBounded(t *testing.T) {
	l := newEvents()
	l.operator(strings.Repeat("é", maxEventText), "%s", strings.Repeat("x", 10*maxEventText))
	if e := l.recent()[0]; len(e.Device) > maxEventText+3 || len(e.Detail) != maxEventText+3 || !strings.HasPrefix(e.Device, "éé") {
		t.Errorf("%d and %d bytes", len(e.Device), len(e.Detail))
	}
}

// A device that is rejected every five seconds is told of once in ten minutes,
// for each reason, and with how often it came.
func TestWhatADeviceRepeatsIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEvents()
		for range 13 {
			l.called(rejected("edge-1", callhome.FailedLogin), true)
			l.called(rejected("edge-2", callhome.RejectedInUse), true)
			time.Sleep(time.Minute)
		}
		if got := strings.Join(told(l), ","); got != "rejected edge-1,rejected edge-2,rejected edge-1,rejected edge-2" {
			t.Errorf("got %s", got)
		}
		if again := l.recent()[2]; again.Unsaid != 9 {
			t.Errorf("%d were not told", again.Unsaid)
		}
	})
}

func TestRepeatsAreBounded(t *testing.T) {
	r := make(repeats)
	now := time.Now()
	for n := range 3 * maxRepeated {
		if _, ok := r.tell(repeatedCall{device: fmt.Sprint(n)}, now); !ok {
			t.Fatalf("device %d is not told", n)
		}
	}
	if len(r) > maxRepeated {
		t.Errorf("%d are remembered", len(r))
	}
}

// Strangers, whoever guesses, and what is not about a device of ours leave
// little: they must not wash away what matters.
func TestAFloodOfStrangersLeavesFewEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newEvents()
		l.operator("edge-1", "approved")
		flood := func() {
			for n := range maxStrangers {
				o := rejected("", callhome.RejectedPending)
				o.Identity = auth.Identity{Type: "ssh-ed25519", Fingerprint: fmt.Sprint(n)}
				l.called(o, false)
				l.called(rejected("", callhome.FailedHandshake), false)
				l.called(rejected("edge-1", callhome.RejectedUntrusted), false)
				l.LoginRefused(gateway.LoginRecord{Time: time.Now(), Manager: fmt.Sprint("root", n)})
			}
		}
		flood()
		if got := told(l); len(got) != 1+2*maxTold || got[0] != "operator edge-1" {
			t.Errorf("%d events: %v", len(got), got)
		}
		time.Sleep(time.Minute)
		flood() // of the same
		list := l.recent()
		if last := list[len(list)-maxTold]; len(list) != 1+3*maxTold || last.Kind != control.EventLoginRefused || last.Unsaid != maxStrangers-maxTold {
			t.Errorf("%d events, of the second flood first %+v", len(list), last)
		}
	})
}

func TestWhoFollowsIsToldWhatWasAndWhatComes(t *testing.T) {
	l := newEvents()
	l.operator("", "before")
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := l.follow(ctx, func(e control.Event) error {
		got = append(got, e.Detail)
		switch e.Detail {
		case "before":
			l.operator("", "after")
		case "after":
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || strings.Join(got, ",") != "before,after" {
		t.Errorf("%v: %v", got, err)
	}
	if len(l.followers) != 0 {
		t.Error("a follower is left over")
	}
}

// A follower that does not read stops nobody, and is told what it has missed.
func TestASlowFollowerIsToldHowManyItMissed(t *testing.T) {
	l := newEvents()
	l.operator("", "slow")
	enough := errors.New("enough")
	var got []control.Event
	err := l.follow(t.Context(), func(e control.Event) error {
		switch got = append(got, e); {
		case e.Detail == "slow":
			for n := range maxWaiting + 5 {
				l.operator("", "%d", n)
			}
		case e.Detail == "0":
			l.operator("", "late") // there is room again, but others were missed before
		case e.Kind == control.EventMissed:
			l.operator("", "caught up")
		case e.Detail == "caught up":
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || len(got) != 1+maxWaiting+2 {
		t.Fatalf("%d events: %v", len(got), err)
	}
	if missed := got[1+maxWaiting]; missed.Kind != control.EventMissed || !strings.HasPrefix(missed.Detail, "6 events") || missed.Number != 0 {
		t.Errorf("got %+v", missed)
	}
	if last := got[maxWaiting]; last.Detail != fmt.Sprint(maxWaiting-1) {
		t.Errorf("the last before is %q", last.Detail)
	}
}
