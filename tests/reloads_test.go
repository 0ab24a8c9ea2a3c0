package tests

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/tests/harness"
)

const (
	reloads = 1000
	// reloadFleet calls over SSH, reloadLoad managers use it all the while.
	reloadFleet = 20
	reloadLoad  = 8
	// concernedEvery is after how many reloads one concerns a manager that has a
	// session.
	concernedEvery = 50
)

// This test is not parallel: it keeps all processors busy.
func TestAThousandReloadsEndNoSessionThatTheyDoNotConcern(t *testing.T) {
	fleet := harness.NewFleet(t, "edge", reloadFleet)
	visitor := harness.NewKey(t)
	g := harness.StartGateway(t, harness.Config{
		Plain:    true, // 20 % of the time is the race detector's otherwise, and the managers' load is small
		Callhome: []string{`trust = "pinned"`, `users = ["fleet"]`},
		Blocks:   append(entriesOf(fleet, reloadFleet, noUser), harness.SimulatorUser("fleet"), managerEntry("visitor", visitor)),
	})
	fleet.CallHome(t, g.CallHome())
	awaitFleet(t, g, fleet)
	before := linksOf(t, g)

	load := startLoad(t, g, fleet)
	concerned := harness.Target{Address: g.SharedTarget("").Address, Username: "visitor@" + fleet.Device(0), KeyPath: visitor.Path}
	took := make([]time.Duration, 0, reloads)
	links, sessions, expected := 0, 0, 0
	rounds := make([]int, len(unconcerning))
	for i := range reloads {
		var session *harness.Subsystem
		if i%concernedEvery == 0 {
			session = harness.Connect(t, concerned, harness.Base11)
			expected++
			visitor = harness.NewKey(t) // the key that let it in is gone
			concerned.KeyPath = visitor.Path
			g.Change(t, withBlock("manager \"visitor\"", managerEntry("visitor", visitor)))
		} else {
			kind := i % len(unconcerning)
			g.Change(t, unconcerning[kind](rounds[kind]))
			rounds[kind]++
		}
		begin := time.Now()
		result := g.Reload(t)
		took = append(took, time.Since(begin))
		links, sessions = links+result.Links, sessions+result.Sessions
		if session != nil && !session.Ended(harness.ReplyTimeout) {
			t.Fatalf("reload %d took the visitor's key away, and its session is still there", i)
		}
	}
	served := load.stop(t)
	t.Logf("%d reloads, %v each in the middle, %v at most; the load was served %d times meanwhile", reloads, median(took), longest(took), served)
	if links != 0 || sessions != expected {
		t.Errorf("the reloads ended %d links and %d sessions, and concerned none and %d", links, sessions, expected)
	}
	for name, link := range linksOf(t, g) {
		if before[name] != link {
			t.Errorf("the link of %s did not stay: it is of %s, was of %s", name, link, before[name])
		}
	}
}

// unconcerning are changes that concern nobody who is connected: each writes
// something, and takes it away the next time.
var unconcerning = []func(round int) func(config string) string{
	func(round int) func(string) string {
		return toggled(round, "manager \"guest\" {\n  password_hash = \"$2a$04$"+strings.Repeat("a", 53)+"\"\n  devices = [\"none-*\"]\n}\n")
	},
	func(round int) func(string) string {
		return toggled(round, "user \"spare\" {\n  username = \"spare\"\n  password = \"unused\"\n}\n")
	},
	func(round int) func(string) string {
		return toggled(round, "session \"spare\" {\n  address = \"192.0.2.77\"\n  port = 19999\n}\n")
	},
	func(round int) func(string) string {
		return func(config string) string {
			if round%2 == 0 {
				return strings.Replace(config, `level = "debug"`, `level = "info"`, 1)
			}
			return strings.Replace(config, `level = "info"`, `level = "debug"`, 1)
		}
	},
	func(round int) func(string) string {
		return func(config string) string {
			if round%2 == 0 {
				return strings.Replace(config, `users = ["fleet"]`, `users = ["fleet"]`+"\n  listener \"more\" {\n    port = 4444\n  }\n", 1)
			}
			return strings.Replace(config, "\n  listener \"more\" {\n    port = 4444\n  }\n", "", 1)
		}
	},
}

// toggled adds the block in even rounds and removes it in odd ones.
func toggled(round int, block string) func(string) string {
	return func(config string) string {
		if round%2 == 0 {
			return config + block
		}
		return strings.Replace(config, block, "", 1)
	}
}

// withBlock puts another block in the place of the one that begins so.
func withBlock(head, block string) func(string) string {
	return func(config string) string {
		begin := strings.Index(config, head)
		end := begin + strings.Index(config[begin:], "\n}\n") + len("\n}\n")
		return config[:begin] + block + config[end:]
	}
}

// managerEntry is a manager that logs in with the key and may reach every device.
func managerEntry(name string, key harness.Key, more ...string) string {
	lines := append([]string{fmt.Sprintf("authorized_keys = [%q]", key.AuthorizedKey()), `devices = ["*"]`}, more...)
	return fmt.Sprintf("manager %q {\n  %s\n}\n", name, strings.Join(lines, "\n  "))
}

// linksOf returns what tells the links apart, by device.
func linksOf(t *testing.T, g *harness.Gateway) map[string]string {
	t.Helper()
	links := make(map[string]string)
	for _, d := range g.Devices(t) {
		if d.State == control.StateConnected {
			links[d.Name] = describe(d)
		}
	}
	return links
}

// load are managers that ask devices all the while, each in one session.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	served atomic.Int64
}

func startLoad(t *testing.T, g *harness.Gateway, fleet *harness.Fleet) *load {
	t.Helper()
	l := &load{}
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	for i := range reloadLoad {
		target := g.SharedTarget(fleet.Device(i % reloadFleet))
		target.KeyPath = g.Key.Path
		session := harness.Connect(t, target, harness.Base11)
		l.done.Go(func() {
			for ctx.Err() == nil {
				if _, err := session.GetConfig("running"); err != nil {
					t.Errorf("manager %d under load: %v; the gateway said %q", i, err, session.Stderr.String())
					return
				}
				l.served.Add(1)
			}
		})
	}
	return l
}

// stop ends the load and returns how often it was served.
func (l *load) stop(t *testing.T) int64 {
	t.Helper()
	l.cancel()
	l.done.Wait()
	served := l.served.Load()
	if served < reloadLoad {
		t.Errorf("the load was served %d times only", served)
	}
	return served
}

func median(took []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(took))[len(took)/2]
}

func longest(took []time.Duration) time.Duration { return slices.Max(took) }
