package harness

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// The peers by themselves, without a gateway: what is asserted here is what
// the end-to-end tests rely on.

func TestNetconfdServesASession(t *testing.T) {
	t.Parallel()
	d := NewNetconfd(t, NetconfdOptions{Candidate: true})
	s := ConnectTo(t, &d.Device, Target{Address: d.Address, Username: d.Username, Password: d.Password}, Base11)
	editShows(t, s.Session, &d.Device)
}

func TestNetconfdCanBeADeviceOfBase10(t *testing.T) {
	t.Parallel()
	d := NewNetconfd(t, NetconfdOptions{Base10: true})
	s := ConnectTo(t, &d.Device, Target{Address: d.Address, Username: d.Username, Password: d.Password}, Base10, Base11)
	if s.Chunked || strings.Contains(s.ServerHello, Base11) {
		t.Fatalf("it offers base:1.1: %s", s.ServerHello)
	}
	editShows(t, s.Session, &d.Device)
}

func TestLibnetconfCallsHomeAndCallsAgain(t *testing.T) {
	t.Parallel()
	d := NewLibnetconf(t, LibnetconfOptions{Tick: 50 * time.Millisecond})
	l := listen(t)
	d.CallHome(t, hostOf(l))
	for range 2 {
		client := answerCall(t, l, &d.Device)
		s := OpenSession(t, client, Base11)
		editShows(t, s.Session, &d.Device)
		if reply, err := s.RPC(ReplyTimeout, `<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>`); err != nil || !strings.Contains(reply, "<ok/>") {
			t.Fatal(reply, err)
		}
		if n, err := s.Notification(); err != nil || !strings.Contains(n, "tick") {
			t.Fatal(n, err)
		}
		client.Close()
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l := listenOn(t, net.JoinHostPort(Address(t), CallHomePort))
	t.Cleanup(func() { l.Close() })
	return l
}

func hostOf(l net.Listener) string {
	host, _, _ := net.SplitHostPort(l.Addr().String())
	return host
}

// calledBy lets the device call, and answers once.
func calledBy(t *testing.T, d *Device) *ssh.Client {
	t.Helper()
	l := listen(t)
	d.CallHome(t, hostOf(l))
	client := answerCall(t, l, d)
	t.Cleanup(func() { client.Close() })
	return client
}

// answerCall is a call-home client of the plainest kind.
func answerCall(t *testing.T, l net.Listener, d *Device) *ssh.Client {
	t.Helper()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(ReplyTimeout))
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("waiting for the call: %v", err)
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, conn.RemoteAddr().String(), &ssh.ClientConfig{
		User: d.Username, Auth: []ssh.AuthMethod{ssh.Password(d.Password)},
		HostKeyCallback: ssh.FixedHostKey(d.HostKey.Signer.PublicKey()),
	})
	if err != nil {
		t.Fatalf("logging in to the device: %v", err)
	}
	return ssh.NewClient(c, chans, reqs)
}

// editShows edits a leaf and reads it back.
func editShows(t *testing.T, s *Session, d *Device) {
	t.Helper()
	value := "rack " + strings.ReplaceAll(t.Name(), "/", " ")
	for _, step := range []struct{ operation, want string }{
		{"<lock><target><" + d.Target + "/></target></lock>", "<ok/>"},
		{"<edit-config><target><" + d.Target + "/></target><config>" + d.Edit(value) + "</config></edit-config>", "<ok/>"},
		{"<get-config><source><" + d.Target + "/></source></get-config>", value},
		{"<unlock><target><" + d.Target + "/></target></unlock>", "rpc-reply"},
	} {
		reply, err := s.RPC(ReplyTimeout, step.operation)
		if err != nil || !strings.Contains(reply, step.want) {
			t.Fatalf("%s: %v: %s", step.operation, err, reply)
		}
	}
}
