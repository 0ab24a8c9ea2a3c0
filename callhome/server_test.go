package callhome_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/ssh"
)

func TestApprovedDeviceAttachesAndServesSessions(t *testing.T) {
	s := start(t, known(t))
	device(t, s, devicesim.Options{})
	o := s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	if o.Device != "edge-1" || link.Name() != "edge-1" || o.User != "fleet" || o.Identity != identity(t, "device") {
		t.Errorf("outcome %+v", o)
	}
	if len(link.Control().Hello().Capabilities) == 0 || link.Control().Hello().SessionID == 0 {
		t.Errorf("hello %+v", link.Control().Hello())
	}
	session, err := link.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if session.Hello().SessionID == link.Control().Hello().SessionID {
		t.Error("the session has the control session's id")
	}
	reply := exchange(t, session, `<rpc xmlns="`+netconf.NamespaceBase+`" message-id="7"><get-config><source><running/></source></get-config></rpc>`)
	if !strings.Contains(reply, `message-id="7"`) || !strings.Contains(reply, "<data") {
		t.Errorf("reply %s", reply)
	}
	if err := session.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := session.Next(); err == nil {
		t.Error("Next after Close returned a message")
	}
	_ = link.Close()
	if _, err := link.Open(t.Context()); err != callhome.ErrLinkEnded {
		t.Errorf("Open on an ended link: %v", err)
	}
	if s.Link("edge-1") != nil {
		t.Error("the ended link still holds the device")
	}
}

func send(t *testing.T, s *callhome.Session, rpc string) {
	t.Helper()
	m := &netconf.Message{Head: netconf.Head{Kind: netconf.KindRPC}, Size: int64(len(rpc)), Body: strings.NewReader(rpc)}
	if err := s.Send(m); err != nil {
		t.Fatal(err)
	}
}

func exchange(t *testing.T, s *callhome.Session, rpc string) string {
	t.Helper()
	send(t, s, rpc)
	reply, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestUnknownDeviceSeesNoAuthenticationAndIsPending(t *testing.T) {
	m := &memory{}
	s := start(t, callhome.Options{Users: []*auth.User{fleetUser()}, Memory: m})
	var log authLog
	device(t, s, devicesim.Options{OnAuth: log.add})
	o := s.want(t, callhome.RejectedPending)
	if len(log.all()) != 0 {
		t.Errorf("the device saw authentication requests: %v", log.all())
	}
	if len(m.pending) != 1 || m.pending[0].Identity != o.Identity || m.pending[0].Address != o.Remote.Addr() {
		t.Errorf("pending %+v", m.pending)
	}
}

func TestChangedKeyIsRejectedUnderEveryTrust(t *testing.T) {
	for _, trust := range []auth.Trust{auth.TrustApprove, auth.TrustPinned, auth.TrustFirstUse} {
		t.Run(trust.String(), func(t *testing.T) {
			var log authLog
			s := start(t, callhome.Options{
				Trust: trust, Users: []*auth.User{fleetUser()},
				Entries: []callhome.Entry{{Name: "edge-1", Address: netip.MustParsePrefix("127.0.0.0/8"), Pins: []auth.Identity{identity(t, "the real one")}}},
			})
			device(t, s, devicesim.Options{OnAuth: log.add})
			o := s.want(t, callhome.RejectedKeyChanged)
			if o.Device != "edge-1" || len(log.all()) != 0 {
				t.Errorf("outcome %+v, authentication %v", o, log.all())
			}
		})
	}
}

func TestFirstUsePinsAndSendsThePasswordOnlyWhereAllowed(t *testing.T) {
	m := &memory{}
	user := fleetUser()
	s := start(t, callhome.Options{Users: []*auth.User{user}, Memory: m, Trust: auth.TrustFirstUse})
	var log authLog
	device(t, s, devicesim.Options{OnAuth: log.add})
	s.want(t, callhome.RejectedUntrusted)
	if len(log.all()) != 0 {
		t.Errorf("authentication %v", log.all())
	}

	allowed := fleetUser()
	allowed.FirstUsePassword = true
	s = start(t, callhome.Options{Users: []*auth.User{allowed}, Memory: m, Trust: auth.TrustFirstUse})
	device(t, s, devicesim.Options{})
	o := s.want(t, callhome.Accepted)
	if d, ok := m.Approved(identity(t, "device")); !ok || d.Name != o.Device || !strings.HasPrefix(d.Name, "dev-") {
		t.Errorf("pinned %+v as %s", d, o.Device)
	}
}

func TestEveryMethodOfAUserEntryLogsIn(t *testing.T) {
	gatewayKey := key(t, "gateway")
	for _, tt := range []struct {
		name string
		user auth.User
		dev  devicesim.Options
	}{
		{"password", auth.User{Password: "secret"}, devicesim.Options{Password: "secret"}},
		{"keyboard-interactive", auth.User{Password: "secret"}, devicesim.Options{Password: "secret", KeyboardInteractive: true}},
		{"key", auth.User{Keys: []ssh.Signer{gatewayKey}}, devicesim.Options{AuthorizedKeys: []ssh.PublicKey{gatewayKey.PublicKey()}}},
		{"second key", auth.User{Keys: []ssh.Signer{key(t, "other"), gatewayKey}}, devicesim.Options{AuthorizedKeys: []ssh.PublicKey{gatewayKey.PublicKey()}}},
		{"password after a key that is refused", auth.User{Keys: []ssh.Signer{key(t, "other")}, Password: "secret"},
			devicesim.Options{AuthorizedKeys: []ssh.PublicKey{gatewayKey.PublicKey()}, Password: "secret"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := known(t)
			tt.user.Name, tt.user.Username = "fleet", "netconf"
			o.Users = []*auth.User{&tt.user}
			s := start(t, o)
			device(t, s, tt.dev)
			s.want(t, callhome.Accepted)
		})
	}
}

func TestRefusedUserIsNotTriedAgainOnThatDevice(t *testing.T) {
	o := known(t)
	wrong := &auth.User{Name: "wrong", Username: "netconf", Password: "no"}
	other := &auth.User{Name: "other", Username: "admin", Password: "no"}
	o.Users = []*auth.User{other, wrong, fleetUser()}
	s := start(t, o)
	var log authLog
	device(t, s, devicesim.Options{OnAuth: log.add, Reconnect: time.Millisecond})
	for _, user := range []string{"other", "wrong"} {
		if got := s.want(t, callhome.FailedLogin); got.User != user {
			t.Errorf("failed with %s, want %s", got.User, user)
		}
	}
	if got := s.want(t, callhome.Accepted); got.User != "fleet" {
		t.Errorf("accepted with %s", got.User)
	}
	if failures := s.Failures(); len(failures) != 2 || failures[0].Identity != identity(t, "device") {
		t.Errorf("failures %+v", failures)
	}
	link := receive(t, s.links, "link")
	_ = link.Close()
	if got := s.want(t, callhome.Accepted); got.User != "fleet" {
		t.Errorf("called again, accepted with %s", got.User)
	}
	passwords := 0
	for _, request := range log.all() {
		if strings.HasSuffix(request, " password") {
			passwords++
		}
	}
	if passwords != 4 {
		t.Errorf("%d passwords were sent, want 4: %v", passwords, log.all())
	}
}

func TestResetDuringLoginIsNoRefusal(t *testing.T) {
	s := start(t, known(t))
	var d *devicesim.Device
	ready := make(chan struct{})
	d = device(t, s, devicesim.Options{OnAuth: func(string, string) { <-ready; d.Drop() }})
	close(ready)
	s.want(t, callhome.FailedLogin)
	if failures := s.Failures(); len(failures) != 0 {
		t.Errorf("failures %+v", failures)
	}
}

// A device that nobody vouches for may have to make room while it logs in. It has
// refused nothing then.
func TestEvictionDuringLoginIsNoRefusal(t *testing.T) {
	o := known(t)
	o.Trust, o.MaxCalls, o.RejectDelay = auth.TrustFirstUse, 1, -1
	o.Users[0].FirstUsePassword = true
	s := start(t, o)
	asked, over := make(chan struct{}), make(chan struct{})
	device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, "slow")}, Source: netip.MustParseAddr("127.0.0.2"), OnAuth: func(_, method string) {
		if method == "password" {
			close(asked)
			<-over
		}
	}})
	t.Cleanup(func() { close(over) })
	receive(t, asked, "password")
	device(t, s, devicesim.Options{Reconnect: 10 * time.Millisecond}) // until there is room for it
	outcome := s.next(t)
	for outcome.Identity != identity(t, "slow") {
		outcome = s.next(t)
	}
	if outcome.Reason != callhome.RejectedLimit {
		t.Errorf("outcome %+v", outcome)
	}
	if failures := s.Failures(); len(failures) != 0 {
		t.Errorf("failures %+v", failures)
	}
}

func TestDeviceThatNeedsAnotherUserGetsItOnItsNextCall(t *testing.T) {
	m := &memory{}
	m.devices = []auth.Device{{Name: "edge-1", Identity: identity(t, "device"), User: "old"}}
	old := &auth.User{Name: "old", Username: "admin", Password: "old secret"}
	s := start(t, callhome.Options{
		Users: []*auth.User{fleetUser()}, NamedUsers: map[string]*auth.User{"old": old}, Memory: m,
	})
	var log authLog
	device(t, s, devicesim.Options{Username: "admin", Password: "old secret", OnAuth: log.add, Reconnect: time.Millisecond})
	s.want(t, callhome.RejectedWrongUser)
	if len(log.all()) != 0 {
		t.Errorf("the first call saw authentication: %v", log.all())
	}
	if o := s.want(t, callhome.Accepted); o.User != "old" {
		t.Errorf("accepted with %s", o.User)
	}
}

func TestSecondCallOfAConnectedDeviceIsRejected(t *testing.T) {
	s := start(t, known(t))
	device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	device(t, s, devicesim.Options{})
	s.want(t, callhome.RejectedInUse)
	if _, err := link.Open(t.Context()); err != nil {
		t.Errorf("the first link is harmed: %v", err)
	}
}

func TestUserSelectHook(t *testing.T) {
	for _, tt := range []struct {
		name      string
		selection callhome.Selection
		err       error
		want      callhome.Reason
	}{
		{"reject", callhome.Selection{Reject: true, Reason: "not today"}, nil, callhome.RejectedHook},
		{"fail", callhome.Selection{}, fmt.Errorf("no answer"), callhome.RejectedHook},
		{"choose", callhome.Selection{User: fleetUser()}, nil, callhome.Accepted},
		{"choose one for TLS", callhome.Selection{User: &auth.User{Name: "tls", TLS: &auth.UserTLS{}}}, nil, callhome.RejectedHook},
		{"no opinion", callhome.Selection{}, nil, callhome.RejectedNoUser},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := known(t)
			o.Users = nil
			o.UserSelect = func(_ context.Context, call callhome.CallInfo) (callhome.Selection, error) {
				if !call.Remote.Addr().IsLoopback() {
					t.Errorf("asked about %v", call)
				}
				return tt.selection, tt.err
			}
			s := start(t, o)
			device(t, s, devicesim.Options{})
			s.want(t, tt.want)
		})
	}
}

// Strangers for whom a slow hook is asked take no places from devices.
func TestCallsThatTheHookIsAskedAboutMakeRoom(t *testing.T) {
	o := known(t)
	o.MaxCalls, o.UserSelectTimeout = 4, time.Minute
	asked := make(chan struct{}, 4)
	o.UserSelect = func(ctx context.Context, call callhome.CallInfo) (callhome.Selection, error) {
		if call.Remote.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 9}) {
			return callhome.Selection{}, nil
		}
		asked <- struct{}{}
		<-ctx.Done()
		return callhome.Selection{}, ctx.Err()
	}
	s := start(t, o)
	for range 4 {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "SSH-2.0-x\r\n"); err != nil {
			t.Fatal(err)
		}
		receive(t, asked, "a question")
	}
	device(t, s, devicesim.Options{Reconnect: 50 * time.Millisecond})
	accepted, evicted := false, false
	for {
		outcome := s.next(t)
		evicted = evicted || outcome.Remote.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 9}) && outcome.Reason == callhome.RejectedLimit
		accepted = accepted || outcome.Reason == callhome.Accepted
		if accepted && evicted {
			return
		}
	}
}

func TestWhatIsNoDeviceGetsItsReason(t *testing.T) {
	s := start(t, known(t))
	for _, tt := range []struct {
		name, send string
		want       callhome.Reason
	}{
		{"http", "GET / HTTP/1.1\r\n\r\n", callhome.FailedPreamble},
		{"hang up", "", callhome.FailedPreamble},
		{"long line", strings.Repeat("x", 1<<20), callhome.FailedPreamble},
		{"version and then garbage", "SSH-2.0-x\r\n" + strings.Repeat("garbage", 100), callhome.FailedHandshake},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, tt.send) // the gateway may close before all is sent
			_ = conn.(*net.TCPConn).CloseWrite()
			s.want(t, tt.want)
		})
	}
}

func TestRejectedCallIsHeldBeforeItIsClosed(t *testing.T) {
	s := start(t, callhome.Options{Users: []*auth.User{fleetUser()}, RejectDelay: 300 * time.Millisecond})
	ended := make(chan time.Time, 1)
	device(t, s, devicesim.Options{OnDisconnect: func(error) { ended <- time.Now() }})
	o := s.want(t, callhome.RejectedPending)
	if held := receive(t, ended, "end of the call").Sub(o.Time); held < 250*time.Millisecond {
		t.Errorf("closed %s after the outcome", held)
	}
}

func TestShutdownDoesNotWaitForSilentCallers(t *testing.T) {
	s, err := callhome.New(callhome.Options{Memory: &memory{}, Users: []*auth.User{fleetUser()}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, func(ctx context.Context) error { return s.Serve(ctx, ln) })
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(10 * time.Second); s.Calls() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the call was not taken")
		}
	}
	begin := time.Now()
	stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestOneSourceDoesNotTakeAllCalls(t *testing.T) {
	o := known(t)
	o.MaxCalls = 8
	s := start(t, o)
	for range 8 {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for range 4 {
		s.want(t, callhome.RejectedLimit)
	}
	device(t, s, devicesim.Options{})
	s.want(t, callhome.Accepted)
}
