package callhome

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
)

// diary is an outcomeLog and what it wrote.
type diary struct {
	*outcomeLog
	mu   sync.Mutex // guards text
	text strings.Builder
}

func newDiary() *diary {
	d := &diary{}
	d.outcomeLog = newOutcomeLog(hclog.New(&hclog.LoggerOptions{Output: &d.text, Mutex: &d.mu, DisableTime: true}))
	return d
}

// lines returns what was written since it was last asked.
func (d *diary) lines() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	text := d.text.String()
	d.text.Reset()
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")[:strings.Count(text, "\n")]
}

func (d *diary) note(reason Reason, source string, device string) {
	address := netip.MustParseAddr(source)
	o := Outcome{Time: time.Now(), Reason: reason, Remote: netip.AddrPortFrom(address, 1), Device: device, Detail: "of " + device}
	if device != "" {
		o.Identity = testIdentity(device)
	}
	d.add(o, caller{source: auth.Sources{}.Of(address), known: device != ""})
}

func TestARepeatedOutcomeIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		var logged []string
		for second := range 3600 { // for an hour, once a second
			d.note(FailedLogin, "192.0.2.1", "edge-1")
			for _, line := range d.lines() {
				_, counted, _ := strings.Cut(line, "repeated=")
				logged = append(logged, fmt.Sprint(second, " ", counted))
			}
			time.Sleep(time.Second)
		}
		// At once, after a minute, two, four, eight, and then every ten.
		if len(logged) < 8 || len(logged) > 11 || logged[0] != "0 " || !strings.HasSuffix(logged[1], " within=1m0s") {
			t.Errorf("an hour of the same has %d lines: %q", len(logged), logged)
		}
		time.Sleep(2 * repeatAtMost)
		d.lines()
		d.note(FailedLogin, "192.0.2.1", "edge-1")
		if got := d.lines(); len(got) != 1 || strings.Contains(got[0], "repeated") {
			t.Errorf("after a pause: %q", got)
		}
		time.Sleep(2 * repeatAtMost)
		d.outcomeLog.mu.Lock()
		defer d.outcomeLog.mu.Unlock()
		if len(d.repeats) != 0 || len(d.crowds) != 0 || d.ticking {
			t.Error("something is still remembered")
		}
	})
}

func TestWhatDiffersIsLoggedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		for _, c := range []struct {
			reason         Reason
			source, device string
			lines          int
		}{
			{FailedLogin, "192.0.2.1", "edge-1", 1},
			{FailedLogin, "192.0.2.1", "edge-1", 0},
			{FailedHello, "192.0.2.1", "edge-1", 1},
			{FailedLogin, "192.0.2.2", "edge-1", 1},
			{FailedLogin, "192.0.2.1", "edge-2", 1},
			{Accepted, "192.0.2.1", "edge-1", 1},
			{Accepted, "192.0.2.1", "edge-1", 1},
		} {
			d.note(c.reason, c.source, c.device)
			if got := d.lines(); len(got) != c.lines {
				t.Errorf("%v: %q", c, got)
			}
		}
		time.Sleep(time.Hour)
	})
}

func TestACrowdIsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		flood := func() {
			for i := range 5000 {
				d.note(FailedPreamble, fmt.Sprintf("198.51.%d.%d", i/250, i%250), "")
			}
		}
		flood()
		if got := d.lines(); len(got) != firstStrangers {
			t.Errorf("%d lines of a crowd are logged at once", len(got))
		}
		// A device of ours that fails in the midst of it shows.
		d.note(FailedHandshake, "192.0.2.1", "edge-1")
		if got := d.lines(); len(got) != 1 || !strings.Contains(got[0], "edge-1") {
			t.Errorf("a device in the crowd: %q", got)
		}
		for range 3 {
			time.Sleep(crowdEvery)
			got := d.lines()
			if len(got) != 1 || !strings.Contains(got[0], "many calls were not accepted") || !strings.Contains(got[0], "reason=failed-preamble") {
				t.Fatalf("after %s: %q", crowdEvery, got)
			}
			// The first are not of the crowd: they repeat themselves.
			if !strings.Contains(got[0], fmt.Sprintf("calls=%d sources=%d ", 5000-firstStrangers, maxCrowdSources)) {
				t.Errorf("counted %q", got[0])
			}
			flood()
		}
		time.Sleep(time.Hour)
		d.lines()
		d.note(FailedPreamble, "203.0.113.1", "")
		if got := d.lines(); len(got) != 1 {
			t.Errorf("after the crowd: %q", got)
		}
		time.Sleep(time.Hour)
	})
}

// A neighbour can make up as many keys as it likes for a device that is known
// by its address.
func TestKeysThatAreMadeUpForOneDeviceAreACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		flood := func() {
			for i := range 1000 {
				remote := netip.MustParseAddrPort("192.0.2.1:1")
				o := Outcome{Time: time.Now(), Reason: RejectedKeyChanged, Remote: remote, Device: "edge-1", Identity: testIdentity(fmt.Sprint(time.Now(), i))}
				d.add(o, caller{source: auth.Sources{}.Of(remote.Addr()), known: true, penalised: true})
			}
		}
		flood()
		if got := d.lines(); len(got) != firstStrangers {
			t.Errorf("%d lines at once, want %d", len(got), firstStrangers)
		}
		d.note(RejectedKeyChanged, "192.0.2.1", "edge-2")
		if got := d.lines(); len(got) != 1 {
			t.Errorf("another device in the crowd: %q", got)
		}
		time.Sleep(crowdEvery)
		got := d.lines()
		if len(got) != 1 || !strings.Contains(got[0], "[ERROR]") || !strings.Contains(got[0], "device=edge-1") || !strings.Contains(got[0], fmt.Sprint("calls=", 1000-firstStrangers)) {
			t.Errorf("after %s: %q", crowdEvery, got)
		}
		flood()
		if got := d.lines(); len(got) != 0 {
			t.Errorf("%d lines as it goes on", len(got))
		}
		time.Sleep(time.Hour)
	})
}

func TestAChangedKeyIsNeverSwallowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		for i := range 2 * maxRepeats {
			d.note(RejectedKeyChanged, "192.0.2.1", fmt.Sprint("edge-", i))
		}
		if got := d.lines(); len(got) != 2*maxRepeats {
			t.Errorf("%d lines of %d changed keys", len(got), 2*maxRepeats)
		}
		d.outcomeLog.mu.Lock()
		remembered := len(d.repeats)
		d.outcomeLog.mu.Unlock()
		if remembered > maxRepeats {
			t.Errorf("%d outcomes are remembered", remembered)
		}
		time.Sleep(time.Hour)
	})
}
