package daemon

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"callhome-gateway/auth"
)

// TestQuestionsGoRoundAmongSources: those of 192.0.2.0/24 are exempt, and "x"
// marks a question that is given up while it waits.
func TestQuestionsGoRoundAmongSources(t *testing.T) {
	for _, tt := range []struct{ asked, want string }{
		{"10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 10.0.0.2:1 10.0.0.2:2", "10.0.0.1:1 10.0.0.2:1 10.0.0.1:2 10.0.0.2:2 10.0.0.1:3"},
		{"[2001:db8::1]:1 [2001:db8::2]:1 10.0.0.2:1", "[2001:db8::1]:1 10.0.0.2:1 [2001:db8::2]:1"},
		{"10.0.0.1:1 10.0.0.1:2 192.0.2.1:1 192.0.2.1:2", "10.0.0.1:1 192.0.2.1:1 192.0.2.1:2 10.0.0.1:2"},
		{"10.0.0.1:1x 10.0.0.2:1 10.0.0.3:1x 10.0.0.3:2", "10.0.0.2:1 10.0.0.3:2"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHookTurns(1, auth.Sources{Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
			if err := h.take(t.Context(), netip.MustParseAddrPort("203.0.113.1:1")); err != nil {
				t.Fatal(err)
			}
			var got []string
			var giveUp []context.CancelFunc
			for _, remote := range strings.Fields(tt.asked) {
				ctx := t.Context()
				remote, gives := strings.CutSuffix(remote, "x")
				if gives {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					giveUp = append(giveUp, cancel)
				}
				go func() {
					if h.take(ctx, netip.MustParseAddrPort(remote)) == nil {
						got = append(got, remote)
						h.leave()
					}
				}()
				synctest.Wait()
			}
			for _, cancel := range giveUp {
				cancel()
			}
			synctest.Wait()
			h.leave()
			synctest.Wait()
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("asked %v, want %v", got, want)
			}
			if h.free != 1 || len(h.waiting) != 0 || len(h.next) != 0 {
				t.Errorf("%d are free, %d wait, %d are next", h.free, len(h.waiting), len(h.next))
			}
		})
	}
}

// TestATurnThatCameTooLateIsGivenBack has a question given up just as it is
// granted.
func TestATurnThatCameTooLateIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHookTurns(1, auth.Sources{})
		remote := netip.MustParseAddrPort("192.0.2.1:1")
		for range 100 {
			if err := h.take(t.Context(), remote); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if h.take(ctx, remote) == nil {
					h.leave()
				}
			}()
			synctest.Wait()
			go cancel()
			h.leave()
			synctest.Wait()
		}
		if h.free != 1 {
			t.Errorf("%d turns are free", h.free)
		}
	})
}
