package tests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/tests/harness"
)

const (
	kills = 50
	// crashFleet has no session entries: what is known of it is in the state.
	crashFleet = 60
	// killWithin is when the gateway is killed at the latest, after it listens.
	killWithin = 400 * time.Millisecond
)

// This test is not parallel: it keeps all processors busy.
func TestFiftyKillsLoseNothingThatWasPromised(t *testing.T) {
	fleet := harness.NewFleet(t, "olt", crashFleet)
	g := harness.PrepareGateway(t, harness.Config{
		Plain:    true,
		Callhome: []string{`trust = "approve"`, `users = ["fleet"]`, `reject_delay = "100ms"`},
		Blocks:   []string{harness.SimulatorUser("fleet")},
	})
	g.Start(t)
	fleet.CallHome(t, g.CallHome(), "--reconnect", "100ms", "--source", "127.4.0.0/16")
	p := newPromises(fleet)
	for i := range kills {
		p.extract(t, g, time.After(rand.N(killWithin)))
		g.Start(t)
		p.mustHold(t, g, fmt.Sprintf("after kill %d", i+1))
	}
	p.extract(t, g, nil)
	g.Start(t)
	g.AwaitConnectedCount(t, crashFleet)
	p.mustHold(t, g, "in the end")
	t.Logf("%d kills: %d devices approved, renamed %d times, users saved and removed %d times, %d ports seen", kills, len(p.devices), p.renamed, p.saves, len(p.ports))
	if p.renamed < kills || p.saves < kills || len(p.ports) < crashFleet {
		t.Error("the kills found little that was being written")
	}
}

// promises are what the gateway has confirmed to an operator, so that it must
// be there ever after.
type promises struct {
	fleet   *harness.Fleet
	devices map[string]string // the name by fingerprint
	ports   map[string]uint16 // by fingerprint
	users   map[string]bool   // whether it is there
	// renamed and saves count what was asked for.
	renamed, saves int
	// asked are names that were asked for when the gateway was killed: it may
	// have taken them or not.
	asked map[string]string
}

func newPromises(fleet *harness.Fleet) *promises {
	return &promises{fleet: fleet, devices: map[string]string{}, ports: map[string]uint16{}, users: map[string]bool{}, asked: map[string]string{}}
}

// extract has the gateway promise things until it is killed; nil for when there
// is nothing left to promise.
func (p *promises) extract(t *testing.T, g *harness.Gateway, over <-chan time.Time) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var operators sync.WaitGroup
	done := make(chan struct{})
	if over != nil {
		operators.Go(func() {
			for ctx.Err() == nil {
				p.saveUser(ctx, t, g)
			}
		})
	}
	operators.Go(func() {
		defer close(done)
		for ctx.Err() == nil {
			if p.next(ctx, t, g, over) {
				return
			}
		}
	})
	// Managers are at it as well; they notice the end, and that is all.
	for _, device := range []string{"d-1", "d-3", "d-5"} {
		operators.Go(func() { useAnything(ctx, g, device) })
	}
	select {
	case <-over:
	case <-done:
	case <-time.After(harness.StartTimeout):
		t.Error("the gateway does not give what it was asked for")
	}
	g.Kill()
	cancel()
	operators.Wait()
}

// next asks for one more thing, and reports whether there was nothing left.
func (p *promises) next(ctx context.Context, t *testing.T, g *harness.Gateway, over <-chan time.Time) bool {
	devices, err := g.Control().Devices(ctx)
	if err != nil {
		return false
	}
	for _, d := range devices {
		if d.State != control.StatePending && d.Port != 0 {
			p.ports[d.Identity] = d.Port
		}
	}
	named := true
	for _, i := range rand.Perm(len(p.fleet.Keys)) {
		id := p.fleet.Keys[i].Fingerprint()
		at := slices.IndexFunc(devices, func(d control.Device) bool { return d.Identity == id })
		switch {
		case at >= 0 && devices[at].State == control.StatePending:
			p.ask(ctx, t, g, id, fmt.Sprintf("d-%d", i))
			return false
		case at >= 0 && over == nil:
		case at >= 0 && i%2 == 0: // again and again, so that every kill finds something being written
			p.renamed++
			p.ask(ctx, t, g, id, fmt.Sprintf("d-%d-%d", i, p.renamed))
			return false
		}
		named = named && at >= 0
	}
	return named && len(p.ports) == crashFleet
}

// ask gives the device a name.
func (p *promises) ask(ctx context.Context, t *testing.T, g *harness.Gateway, id, name string) {
	p.asked[id] = name
	var err error
	if old, known := p.devices[id]; known {
		_, err = g.Control().Rename(ctx, control.RenameRequest{Device: old, Name: name})
	} else {
		_, err = g.Control().Approve(ctx, control.ApproveRequest{Device: id, Name: name})
	}
	switch {
	case err == nil:
		p.devices[id] = name
		delete(p.asked, id)
	case ctx.Err() == nil && !cutOff(err):
		t.Errorf("naming %s %s: %v", id, name, err)
	}
}

// saveUser saves one of twenty user entries, or removes it when it is there.
func (p *promises) saveUser(ctx context.Context, t *testing.T, g *harness.Gateway) {
	name := fmt.Sprintf("saved-%d", rand.N(20))
	there := p.users[name]
	delete(p.users, name) // until it is known what has become of it
	var err error
	if there {
		err = g.Control().RemoveUser(ctx, name)
	} else {
		_, err = g.Control().SaveUser(ctx, control.SaveUserRequest{Name: name, Username: "u", Password: harness.Password})
	}
	switch {
	case err == nil:
		p.users[name] = !there
		p.saves++
	case ctx.Err() == nil && !cutOff(err):
		t.Errorf("saving or removing the user %s: %v", name, err)
	}
}

// cutOff reports whether the error is that of a gateway that is gone. net/http has
// no name for the last of these.
func cutOff(err error) bool {
	var network *net.OpError
	return errors.Is(err, control.ErrNotRunning) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &network) || strings.Contains(err.Error(), "server closed idle connection")
}

// mustHold fails the test when something that was promised is not there.
func (p *promises) mustHold(t *testing.T, g *harness.Gateway, when string) {
	t.Helper()
	known := make(map[string]control.Device)
	for _, d := range g.Devices(t) {
		if d.State != control.StatePending {
			known[d.Identity] = d
		}
	}
	for id, name := range p.devices {
		d, there := known[id]
		if there && d.Name == p.asked[id] {
			p.devices[id], name = d.Name, d.Name // it was done, and only the answer was lost
		}
		if d.Name != name {
			t.Fatalf("%s: the device %s is %q, and was promised to be %q", when, id, d.Name, name)
		}
		if port := p.ports[id]; port != 0 && d.Port != port {
			t.Fatalf("%s: %s has the port %d, and had %d", when, name, d.Port, port)
		}
	}
	for id, name := range p.asked {
		if d, there := known[id]; there && d.Name == name {
			p.devices[id] = name
		}
	}
	clear(p.asked)
	p.usersMustHold(t, g, when)
}

func (p *promises) usersMustHold(t *testing.T, g *harness.Gateway, when string) {
	t.Helper()
	users, err := g.Control().Users(t.Context())
	if err != nil {
		t.Fatalf("%s: users: %v", when, err)
	}
	there := make(map[string]bool)
	for _, u := range users {
		there[u.Name] = strings.HasPrefix(u.Name, "saved-")
	}
	for name, promised := range p.users {
		if there[name] != promised {
			t.Fatalf("%s: that the user %s is there is %t, and %t was promised", when, name, there[name], promised)
		}
	}
	maps.Copy(p.users, there) // of what was cut off this is what has become
}

// useAnything is a manager that uses the device again and again, until ctx ends.
func useAnything(ctx context.Context, g *harness.Gateway, device string) {
	for ctx.Err() == nil {
		client, err := harness.TryDial(g.SharedTarget(device))
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		if s, err := harness.OpenSubsystem(client); err == nil {
			if s.Open(harness.ReplyTimeout, harness.Base11) == nil {
				_, _ = s.GetConfig("running")
			}
			s.Close()
		}
		client.Close()
	}
}
