package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/callhome"

	"github.com/hashicorp/go-hclog"
)

// sparing is the link of a device that gives that many sessions beside the
// gateway's own, and refuses the others with the error.
func sparing(t *testing.T, epoch uint64, gives int, refusal error) *fakeLink {
	l := echoLink(t, "own", epoch)
	given, opens := 0, l.opens
	l.opens = func(ctx context.Context, id uint32) (session, error) {
		if given == gives {
			return nil, refusal
		}
		given++
		return opens(ctx, id)
	}
	return l
}

// whose tells what kind of session a manager has: its own, the control session
// that it shares, or none, and why.
func whose(t *testing.T, h *house, device string) string {
	t.Helper()
	ch := openChannel(t, dial(t, h.opts.Port, "noc@"+device))
	ch.ask("subsystem", "netconf")
	if err := ch.hello(); err != nil {
		_, said := ch.exit()
		return said
	}
	_, kind, _ := strings.Cut(ch.get(), "<device>")
	kind, _, _ = strings.Cut(kind, "<")
	return kind
}

func TestSessionModes(t *testing.T) {
	const (
		always = 100
		own    = "own"
		shared = "control"
		none   = "no further session"
	)
	for _, c := range []struct {
		mode  SessionMode
		over  callhome.Transport
		gives int
		want  []string // for the first manager, the second, ...
		is    SessionMode
	}{
		{SessionsDefault, callhome.SSH, always, []string{own, own}, SessionsOwn},
		{SessionsDefault, callhome.SSH, 0, []string{shared, shared}, SessionsShared},
		{SessionsAuto, callhome.SSH, 1, []string{own, none, none}, SessionsOwn},
		{SessionsAuto, callhome.TLS, always, []string{shared, shared}, SessionsShared},
		{SessionsOwn, callhome.SSH, 0, []string{none, none}, SessionsOwn},
		{SessionsOwn, callhome.TLS, always, []string{"forbids to share"}, SessionsOwn},
		{SessionsShared, callhome.SSH, always, []string{shared, shared}, SessionsShared},
		{SessionsExclusive, callhome.SSH, always, []string{shared, "one manager at a time"}, SessionsExclusive},
		{SessionsExclusive, callhome.TLS, always, []string{shared, "one manager at a time"}, SessionsExclusive},
	} {
		t.Run(fmt.Sprintf("%s over %s that gives %d", c.mode, c.over, c.gives), func(t *testing.T) {
			opts := nocOptions(t)
			opts.Devices = []DeviceConfig{{Name: "edge-1", Sessions: c.mode}}
			h := serve(t, opts)
			l := sparing(t, 1, c.gives, callhome.ErrNoSession)
			l.over = c.over
			h.attach("edge-1", l)
			for i, want := range c.want {
				if got := whose(t, h, "edge-1"); got != want && (want == own || want == shared || !strings.Contains(got, want)) {
					t.Errorf("manager %d got %q, want %q", i+1, got, want)
				}
			}
			if got := h.Devices()[0].Mode; got != c.is {
				t.Errorf("the mode is %s", got)
			}
		})
	}
}

// How a device answers the first further session is remembered for as long as
// the gateway runs, and said once.
func TestWhatADeviceGivesIsRemembered(t *testing.T) {
	dropped := fmt.Errorf("%w (test)", callhome.ErrDropped)
	for name, refusal := range map[string]error{"refuses": callhome.ErrNoSession, "drops": dropped} {
		t.Run(name, func(t *testing.T) {
			h := serve(t, nocOptions(t))
			first := sparing(t, 1, 0, refusal)
			if errors.Is(refusal, dropped) {
				refuses := first.opens
				first.opens = func(ctx context.Context, id uint32) (session, error) {
					first.breaks(errReset)
					return refuses(ctx, id)
				}
			}
			h.attach("edge-1", first)
			got := whose(t, h, "edge-1")
			if want := "control"; name == "refuses" && got != want {
				t.Errorf("the first manager got %q", got)
			} else if want = "try again"; name == "drops" && !strings.Contains(got, want) {
				t.Errorf("the first manager is told %q", got)
			}
			h.attach("edge-1", sparing(t, 2, 100, nil))
			if got := whose(t, h, "edge-1"); got != "control" {
				t.Errorf("after it has called again: %q", got)
			}
			h.Forget("edge-1")
			h.attach("edge-1", sparing(t, 3, 100, nil))
			if got := whose(t, h, "edge-1"); got != "own" {
				t.Errorf("after it was forgotten: %q", got)
			}
			h.stop()
			if log := h.log.String(); strings.Count(log, "its managers share") != 1 {
				t.Errorf("the log is\n%s", log)
			}
		})
	}
}

// One that was given sessions before is never made to share: not after it has
// called again either.
func TestNoSilentDowngrade(t *testing.T) {
	h := serve(t, nocOptions(t))
	h.attach("edge-1", sparing(t, 1, 1, callhome.ErrNoSession))
	if got := whose(t, h, "edge-1"); got != "own" {
		t.Fatalf("the first manager got %q", got)
	}
	h.attach("edge-1", sparing(t, 2, 0, callhome.ErrNoSession))
	if got := whose(t, h, "edge-1"); !strings.Contains(got, "no further session") {
		t.Errorf("then got %q", got)
	}
}

// A device that fails otherwise has said nothing about sessions.
func TestOtherErrorsDecideNothing(t *testing.T) {
	h := serve(t, nocOptions(t))
	first := sparing(t, 1, 0, errors.New("no valid hello"))
	h.attach("edge-1", first)
	if got := whose(t, h, "edge-1"); !strings.Contains(got, "no valid hello") {
		t.Errorf("got %q", got)
	}
	if mode := h.Devices()[0].Mode; mode != SessionsAuto {
		t.Errorf("the mode is %s", mode)
	}
}

// Many managers come at once: the device is asked once, and all get the same.
func TestFirstSessionsAreOpenedOneByOne(t *testing.T) {
	for _, gives := range []int{0, 100} {
		synctest.Test(t, func(t *testing.T) {
			d := newDevice(DeviceConfig{Name: "edge-1", Sessions: SessionsAuto}, hclog.NewNullLogger())
			var asking, most, asked atomic.Int32
			inner := newFakeLink(1, func(_ context.Context, id uint32) (session, error) {
				asked.Add(1)
				if n := asking.Add(1); n > most.Load() && d.mode(nil) == SessionsAuto {
					most.Store(n)
				}
				defer asking.Add(-1)
				time.Sleep(time.Second)
				if gives == 0 {
					return nil, callhome.ErrNoSession
				}
				s, _ := newPipeSession(id, chunked)
				return s, nil
			})
			d.attach(inner)
			l := d.use(t.Context())
			var managers sync.WaitGroup
			for range 10 {
				managers.Go(func() {
					s, err := d.open(t.Context(), l)
					if err != nil {
						t.Error(err)
						return
					}
					s.Close()
				})
			}
			managers.Wait()
			if want := int32(min(gives, 9) + 1); asked.Load() != want || most.Load() != 1 {
				t.Errorf("the device was asked %d times, at most %d at a time, want %d", asked.Load(), most.Load(), want)
			}
			inner.breaks(errReset)
		})
	}
}

// Behind a device that does not answer nobody waits longer than for the device
// itself.
func TestBusyDeviceIsNotWaitedForTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(DeviceConfig{Name: "edge-1", Sessions: SessionsAuto}, hclog.NewNullLogger())
		busy := newFakeLink(1, func(ctx context.Context, _ uint32) (session, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		d.attach(busy)
		l := d.use(t.Context())
		var managers sync.WaitGroup
		for i := range 5 {
			managers.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				begin := time.Now()
				if s, err := d.open(t.Context(), l); err == nil {
					t.Errorf("a session: %v", s)
				}
				if took := time.Since(begin); took > openTimeout {
					t.Errorf("waited for %s", took)
				}
			})
		}
		managers.Wait()
		if mode := d.mode(l); mode != SessionsAuto {
			t.Errorf("then the mode is %s", mode)
		}
		// One that gives up leaves its place to the next.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.open(ctx, l); err == nil {
			t.Error("a session for one that has gone")
		}
	})
}
