package callhome_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// use puts other settings into force, and returns how many links that ends.
func (s *server) use(t *testing.T, o callhome.Options, listeners ...callhome.Listener) int {
	t.Helper()
	o.RejectDelay = -1
	set, err := s.Check(o, listeners)
	if err != nil {
		t.Fatal(err)
	}
	return s.Use(set)
}

// pinnedOptions let the device in by its key.
func pinnedOptions(t *testing.T) callhome.Options {
	return callhome.Options{
		Entries: []callhome.Entry{{Name: "edge-1", Pins: []auth.Identity{identity(t, "device")}}},
		Users:   []*auth.User{fleetUser()},
	}
}

// TestWhatEndsALink has one device connected, and the settings changed in one
// thing.
func TestWhatEndsALink(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(o *callhome.Options, listeners *[]callhome.Listener)
		ends   string // part of the reason; "" = it stays
	}{
		"nothing":      {func(*callhome.Options, *[]callhome.Listener) {}, ""},
		"its password": {func(o *callhome.Options, _ *[]callhome.Listener) { o.Users[0].Password = "rotated" }, ""},
		"another user first": {func(o *callhome.Options, _ *[]callhome.Listener) {
			o.Users = append([]*auth.User{{Name: "new", Username: "new", Password: "x"}}, o.Users...)
		}, ""},
		"another entry": {func(o *callhome.Options, _ *[]callhome.Listener) {
			o.Entries = append(o.Entries, callhome.Entry{Name: "edge-2", Pins: []auth.Identity{{Fingerprint: "SHA256:" + strings.Repeat("A", 43)}}})
		}, ""},
		"a second pin": {func(o *callhome.Options, _ *[]callhome.Listener) {
			o.Entries[0].Pins = append(o.Entries[0].Pins, auth.Identity{Fingerprint: "SHA256:" + strings.Repeat("A", 43)})
		}, ""},
		"its liveness":                   {func(o *callhome.Options, _ *[]callhome.Listener) { o.KeepaliveInterval = time.Minute }, ""},
		"trust, which it had no need of": {func(o *callhome.Options, _ *[]callhome.Listener) { o.Trust = auth.TrustPinned }, ""},
		"the other transport's listener": {func(_ *callhome.Options, l *[]callhome.Listener) { *l = (*l)[:1] }, ""},

		"its username":   {func(o *callhome.Options, _ *[]callhome.Listener) { o.Users[0].Username = "admin" }, `was logged in to as "netconf" with the user entry fleet, which has another username now`},
		"its user entry": {func(o *callhome.Options, _ *[]callhome.Listener) { o.Users[0].Name = "other" }, "needs the user entry other now"},
		"its entry's user": {func(o *callhome.Options, _ *[]callhome.Listener) {
			o.Entries[0].User = &auth.User{Name: "old", Username: "old", Password: "x"}
		}, "needs the user entry old now"},
		"no user":  {func(o *callhome.Options, _ *[]callhome.Listener) { o.Users = nil }, "callhome.users is empty"},
		"its name": {func(o *callhome.Options, _ *[]callhome.Listener) { o.Entries[0].Name = "lyon-1" }, "was given the name lyon-1"},
		"no entry": {func(o *callhome.Options, _ *[]callhome.Listener) { o.Entries = nil }, "is not known"},
		"its pin": {func(o *callhome.Options, _ *[]callhome.Listener) {
			o.Entries[0].Pins[0].Fingerprint = "SHA256:" + strings.Repeat("A", 43)
		}, "is not known"},
		"its address": {func(o *callhome.Options, _ *[]callhome.Listener) {
			o.Entries[0].Address = netip.MustParsePrefix("192.0.2.1/32")
		}, "limited to 192.0.2.1/32"},
		"its transport": {func(o *callhome.Options, _ *[]callhome.Listener) {
			o.Entries[0].Transport = callhome.TLS
			o.Entries[0].CertificateNames = []string{"x"}
		}, "limited to tls"},
		"its listener": {func(o *callhome.Options, _ *[]callhome.Listener) { o.Entries[0].Listener = "other" }, "limited to the listener other"},
		"its network": {func(_ *callhome.Options, l *[]callhome.Listener) {
			(*l)[0].Networks.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}, "nobody may call from 127.0.0.1"},
		"the listener": {func(_ *callhome.Options, l *[]callhome.Listener) { *l = nil }, "there is no listener olts"},
		"its hello":    {func(o *callhome.Options, _ *[]callhome.Listener) { o.Entries[0].Hello.Base = []string{"1.0"} }, "another hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listeners := []callhome.Listener{{Name: "olts", Transport: callhome.SSH}, {Name: "olts", Transport: callhome.TLS}}
			s := newServer(t, pinnedOptions(t))
			run(t, func(ctx context.Context) error { return s.ServeListener(ctx, s.ln, listeners[0]) })
			device(t, s, devicesim.Options{})
			s.want(t, callhome.Accepted)
			link := receive(t, s.links, "link")
			o := pinnedOptions(t)
			tt.change(&o, &listeners)
			want := 0
			if tt.ends != "" {
				want = 1
			}
			if ended := s.use(t, o, listeners...); ended != want {
				t.Fatalf("%d links ended: %v", ended, link.Err())
			}
			if tt.ends == "" {
				if session, err := link.Open(t.Context()); err != nil {
					t.Errorf("the link does not serve any more: %v", err)
				} else {
					_ = session.Close()
				}
				return
			}
			receive(t, link.Done(), "end of the link")
			if err := link.Err().Error(); !strings.HasPrefix(err, "the configuration changed: ") || !strings.Contains(err, tt.ends) {
				t.Errorf("it ended because %s", err)
			}
		})
	}
}

// TestBadOptionsChangeNothing has options that are no settings.
func TestBadOptionsChangeNothing(t *testing.T) {
	s := newServer(t, pinnedOptions(t))
	o := pinnedOptions(t)
	o.Entries = append(o.Entries, o.Entries[0])
	if _, err := s.Check(o, nil); err == nil {
		t.Error("two entries with one name are settings")
	}
	twice := callhome.Listener{Name: "olts", Transport: callhome.SSH}
	if _, err := s.Check(pinnedOptions(t), []callhome.Listener{twice, twice}); err == nil {
		t.Error("two listeners with one name are settings")
	}
}

// TestANewCallIsDecidedByTheSettingsInForce has a device that nobody knows, until
// it does.
func TestANewCallIsDecidedByTheSettingsInForce(t *testing.T) {
	s := start(t, callhome.Options{Users: []*auth.User{fleetUser()}})
	device(t, s, devicesim.Options{Reconnect: 10 * time.Millisecond})
	s.want(t, callhome.RejectedPending)
	s.use(t, pinnedOptions(t))
	for o := s.next(t); o.Reason != callhome.Accepted; o = s.next(t) {
		if o.Reason != callhome.RejectedPending {
			t.Fatalf("outcome %s (%s)", o.Reason, o.Detail)
		}
	}
}

// TestACallInProgressIsDecidedByNewSettings changes them while a device waits
// for its password to be checked: it has proved who it is by the old ones.
func TestACallInProgressIsDecidedByNewSettings(t *testing.T) {
	for name, change := range map[string]func(*callhome.Options){
		"gone":     func(o *callhome.Options) { o.Entries = nil },
		"username": func(o *callhome.Options) { o.Users[0].Username = "admin" },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, pinnedOptions(t))
			changed := make(chan struct{})
			device(t, s, devicesim.Options{OnAuth: func(_, method string) {
				if method == "password" {
					o := pinnedOptions(t)
					change(&o)
					s.use(t, o)
					close(changed)
				}
			}})
			receive(t, changed, "password")
			if o := s.next(t); o.Reason != callhome.RejectedPending && o.Reason != callhome.RejectedWrongUser {
				t.Errorf("outcome %s (%s)", o.Reason, o.Detail)
			}
			if s.Link("edge-1") != nil {
				t.Error("it holds the device")
			}
		})
	}
}

// TestAnAnnouncedUsernameIsStillTheDevices changes the settings between the
// announcement and the proof: who is not concerned goes on.
func TestAnAnnouncedUsernameIsStillTheDevices(t *testing.T) {
	s := start(t, pinnedOptions(t))
	device(t, s, devicesim.Options{OnConnect: func(net.Conn) {
		o := pinnedOptions(t)
		o.Users[0].Password = "secret"
		s.use(t, o)
	}})
	s.want(t, callhome.Accepted)
}

// TestARotatedPasswordIsUsedAtTheNextLogin has the device changed first, as it
// would be: its link stays, and it is let in with the new password.
func TestARotatedPasswordIsUsedAtTheNextLogin(t *testing.T) {
	s := start(t, pinnedOptions(t))
	device(t, s, devicesim.Options{Password: "rotated", Reconnect: 10 * time.Millisecond})
	s.want(t, callhome.FailedLogin)
	o := pinnedOptions(t)
	o.Users[0].Password = "rotated"
	s.use(t, o)
	s.ClearFailures(func(f auth.Failure) bool { return f.User == "fleet" })
	for o := s.next(t); o.Reason != callhome.Accepted; o = s.next(t) {
		if o.Reason != callhome.FailedLogin && o.Reason != callhome.RejectedNoUser {
			t.Fatalf("outcome %s (%s)", o.Reason, o.Detail)
		}
	}
}

// TestAListenerThatIsClosedKeepsItsLinks closes it from outside.
func TestAListenerThatIsClosedKeepsItsLinks(t *testing.T) {
	s := newServer(t, known(t))
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { served <- s.Serve(ctx, s.ln) }()
	device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	_ = s.ln.Close()
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		conn.Close()
		t.Error("calls are accepted")
	}
	session, err := link.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = session.Close()
	if len(served) > 0 {
		t.Error("Serve returned before its last link had ended")
	}
	_ = link.Close()
	if err := receive(t, served, "end of Serve"); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestAListenerThatIsClosedEndsItsLinksWithTheContext is the other end of Serve.
func TestAListenerThatIsClosedEndsItsLinksWithTheContext(t *testing.T) {
	s := newServer(t, known(t))
	stop := run(t, func(ctx context.Context) error { return s.Serve(ctx, s.ln) })
	device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	_ = s.ln.Close()
	stop()
	receive(t, link.Done(), "end of the link")
}

// TestDrain ends three links one after the other, each for the reason.
func TestDrain(t *testing.T) {
	m := &memory{}
	s := start(t, callhome.Options{Users: []*auth.User{fleetUser()}, Memory: m})
	for _, name := range []string{"a", "b", "c"} {
		m.add(name, identity(t, name))
		device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, name)}})
		s.want(t, callhome.Accepted)
	}
	reason := errors.New("the gateway stops")
	begin := time.Now()
	s.Drain(t.Context(), 50, reason)
	if took := time.Since(begin); took < 2*time.Second/50 {
		t.Errorf("three links ended within %s, at 50 a second", took)
	}
	for range 3 {
		link := receive(t, s.links, "link")
		if link.Err() != reason || s.Link(link.Name()) != nil {
			t.Errorf("%s: %v", link.Name(), link.Err())
		}
	}
}

// TestDrainEndsWithItsContext while a link is still to be ended.
func TestDrainEndsWithItsContext(t *testing.T) {
	o := known(t)
	o.Memory.(*memory).add("edge-2", identity(t, "another"))
	s := start(t, o)
	device(t, s, devicesim.Options{})
	device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, "another")}})
	first, second := receive(t, s.links, "link"), receive(t, s.links, "link")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		select { // a second before the other's turn
		case <-first.Done():
		case <-second.Done():
		}
		cancel()
	}()
	s.Drain(ctx, 1, errors.New("the gateway stops"))
	if first.Err() != nil && second.Err() != nil {
		t.Error("both links have ended")
	}
}
