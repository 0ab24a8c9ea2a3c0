package callhome_test

import (
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// askedMemory tells when it is asked about an identity.
type askedMemory struct {
	*memory
	asked func()
}

func (m askedMemory) Approved(id auth.Identity) (auth.Device, bool) {
	m.asked()
	return m.memory.Approved(id)
}

// TestSettingsThatChangeAsALinkComesUp puts them into force at the one moment
// at which the link is known already and the call goes by the old ones for the
// last time.
func TestSettingsThatChangeAsALinkComesUp(t *testing.T) {
	o := known(t)
	m := askedMemory{memory: o.Memory.(*memory)}
	var s *server
	times := 0
	var mu sync.Mutex // guards times
	m.asked = func() {
		mu.Lock()
		times++
		last := times == 2 // stage B, and once more
		mu.Unlock()
		if !last {
			return
		}
		if s.Link("edge-1") == nil {
			t.Error("the link is not known yet")
		}
		if ended := s.use(t, callhome.Options{}); ended != 1 {
			t.Errorf("%d links ended", ended)
		}
	}
	o.Memory = m
	s = start(t, o)
	device(t, s, devicesim.Options{})
	link := receive(t, s.links, "link")
	receive(t, link.Done(), "end of the link")
	if err := link.Err(); !strings.HasPrefix(err.Error(), "the configuration changed: ") {
		t.Errorf("it ended because %v", err)
	}
}

// TestNoLinkEscapesAChange has devices call while the settings forbid and allow
// them in turn: after they are forbidden none is connected, however far its call
// had come; and nobody whom the change does not concern notices.
func TestNoLinkEscapesAChange(t *testing.T) {
	entry := func(name string) callhome.Entry {
		return callhome.Entry{Name: name, Pins: []auth.Identity{identity(t, name)}}
	}
	options := func(names ...string) callhome.Options {
		o := callhome.Options{Users: []*auth.User{fleetUser()}}
		for _, name := range names {
			o.Entries = append(o.Entries, entry(name))
		}
		return o
	}
	names := []string{"a", "b", "c", "d"}
	all := append([]string{"bystander"}, names...)
	s := start(t, options(all...))
	device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, "bystander")}})
	bystander := receive(t, s.links, "link")
	for _, name := range names {
		device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, name)}, Reconnect: time.Millisecond})
	}
	for range 50 {
		links := []*callhome.Link{receive(t, s.links, "link")} // the others are on their way
		s.use(t, options("bystander"))
		// Each is turned away: none is connected.
		changed := time.Now()
		for away := map[auth.Identity]bool{}; len(away) < len(names); {
			if o := s.next(t); o.Reason == callhome.RejectedPending && o.Time.After(changed) {
				away[o.Identity] = true
			}
		}
		for len(s.links) > 0 {
			links = append(links, <-s.links)
		}
		for _, link := range links {
			receive(t, link.Done(), "end of a link")
		}
		s.use(t, options(all...))
	}
	if err := bystander.Err(); err != nil {
		t.Errorf("the bystander's link has ended: %v", err)
	}
}

// TestALinkHoldsOnToNothingOfOldSettings: a gateway that is reloaded every hour
// would keep every configuration that one of its links came in by.
func TestALinkHoldsOnToNothingOfOldSettings(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	for name, tt := range map[string]struct {
		options func() callhome.Options
		start   func(*testing.T, callhome.Options) *server
		device  devicesim.Options
	}{
		"SSH": {func() callhome.Options { return known(t) }, start, devicesim.Options{}},
		"TLS": {
			func() callhome.Options {
				o, user := f.approving(cert), *f.user
				o.Users = []*auth.User{&user}
				return o
			}, startTLS, devicesim.Options{TLS: &devicesim.TLS{Certificate: cert, AnyClient: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := tt.options()
			user := weak.Make(o.Users[0])
			s := tt.start(t, o)
			device(t, s, tt.device)
			s.want(t, callhome.Accepted)
			link := receive(t, s.links, "link")
			if s.use(t, tt.options()) > 0 {
				t.Fatalf("the link has ended: %v", link.Err())
			}
			o = callhome.Options{}
			for deadline := time.Now().Add(20 * time.Second); user.Value() != nil; runtime.GC() {
				if time.Now().After(deadline) {
					t.Fatal("the user entry of the old settings is still there")
				}
			}
			if link.Err() != nil {
				t.Errorf("the link has ended: %v", link.Err())
			}
		})
	}
}

// TestCallsThatComeInWhileLinksAreJudged are decided by the new settings: the
// links that are judged are all that the old ones have let in.
func TestCallsThatComeInWhileLinksAreJudged(t *testing.T) {
	o := known(t)
	m := askedMemory{memory: o.Memory.(*memory), asked: func() {}}
	judging, called := false, false
	var mu sync.Mutex // guards both, and is not held during the call
	var s *server
	m.asked = func() {
		mu.Lock()
		calls := judging && !called
		called = called || judging
		mu.Unlock()
		if calls {
			device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, "another")}})
			s.want(t, callhome.RejectedPending)
		}
	}
	o.Memory = m
	o.Entries = []callhome.Entry{{Name: "edge-2", Pins: []auth.Identity{identity(t, "another")}}}
	s = start(t, o)
	device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
	mu.Lock()
	judging = true
	mu.Unlock()
	if ended := s.use(t, known(t)); ended != 0 || !called {
		t.Errorf("%d links ended; the other device has called: %t", ended, called)
	}
}

// TestADeviceThatFlapsSeesNoLogin until its failures are cleared.
func TestADeviceThatFlapsSeesNoLogin(t *testing.T) {
	s := start(t, known(t))
	var log authLog
	conns := make(chan net.Conn, 100)
	device(t, s, devicesim.Options{Reconnect: time.Millisecond, OnAuth: log.add, OnConnect: func(c net.Conn) { conns <- c }})
	o := s.next(t)
	for ; o.Reason == callhome.Accepted; o = s.next(t) {
		link := receive(t, s.links, "link")
		receive(t, conns, "connection").Close()
		receive(t, link.Done(), "end of the link")
	}
	if o.Reason != callhome.RejectedFlapping || o.Device != "edge-1" || !strings.Contains(o.Detail, "is let in again at ") {
		t.Fatalf("outcome %s (%s)", o.Reason, o.Detail)
	}
	logins := len(log.all())
	s.want(t, callhome.RejectedFlapping)
	if n := len(log.all()); n != logins {
		t.Errorf("the device saw %d authentication requests", n-logins)
	}
	if n := s.ClearFailures(func(f auth.Failure) bool { return f.Identity == identity(t, "device") }); n != 1 {
		t.Errorf("%d failures are cleared", n)
	}
	for o = s.next(t); o.Reason == callhome.RejectedFlapping; o = s.next(t) {
	}
	if o.Reason != callhome.Accepted {
		t.Errorf("outcome %s (%s)", o.Reason, o.Detail)
	}
}
