package harness

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

// The peers that speak TLS by themselves, without a gateway.

func TestLibnetconfCallsHomeOverTLSAndCallsAgain(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := NewLibnetconf(t, LibnetconfOptions{TLS: true, Tick: 50 * time.Millisecond})
			l := listenOn(t, net.JoinHostPort(Address(t), CallHomeTLSPort))
			defer l.Close()
			d.CallHome(t, hostOf(l))
			for range 2 {
				conn := answerTLSCall(t, l, d.TLS.Login, version)
				if shown := conn.ConnectionState().PeerCertificates[0]; !shown.Equal(d.TLS.Certificate.Leaf()) {
					t.Errorf("it shows %s", shown.Subject)
				}
				s := NewSession(conn)
				if err := s.Open(ReplyTimeout, Base11); err != nil {
					t.Fatal(err)
				}
				editShows(t, s, &d.Device)
				if err := s.Subscribe(); err != nil {
					t.Fatal(err)
				}
				if n, err := s.Notification(); err != nil || !strings.Contains(n, "tick") {
					t.Fatal(n, err)
				}
				conn.Close()
			}
		})
	}
}

func TestLibnetconfRefusesTheCertificatesOfOthersOverTLS(t *testing.T) {
	t.Parallel()
	d := NewLibnetconf(t, LibnetconfOptions{TLS: true})
	l := listenOn(t, net.JoinHostPort(Address(t), CallHomeTLSPort))
	defer l.Close()
	d.CallHome(t, hostOf(l))
	for _, login := range []Certificate{NewCA(t, "another").Issue(t, Subject{CommonName: d.Username}), SelfSigned(t, Subject{CommonName: d.Username})} {
		s := NewSession(answerTLSCall(t, l, login, tls.VersionTLS13))
		err := s.Open(ReplyTimeout, Base11)
		if err == nil {
			t.Error("it let a stranger in")
		}
		t.Log(err)
		s.Close()
	}
}

// answerTLSCall is a call-home client of the plainest kind.
func answerTLSCall(t *testing.T, l *net.TCPListener, login Certificate, version uint16) *tls.Conn {
	t.Helper()
	_ = l.SetDeadline(time.Now().Add(ReplyTimeout))
	conn, err := l.Accept()
	if err != nil {
		t.Fatalf("waiting for the call: %v", err)
	}
	client := tls.Client(conn, &tls.Config{
		MinVersion: version, MaxVersion: version, InsecureSkipVerify: true,
		Certificates: []tls.Certificate{login.TLS},
	})
	_ = client.SetDeadline(time.Now().Add(ReplyTimeout))
	if err := client.Handshake(); err != nil {
		t.Fatalf("the handshake with the device: %v", err)
	}
	_ = client.SetDeadline(time.Time{})
	return client
}

// The managers that speak TLS, straight on the libnetconf2 device.
func TestEveryTLSManagerDoesTheJobOnLibnetconf(t *testing.T) {
	t.Parallel()
	for _, kind := range TLSManagerKinds() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			Need(t, kind.Needs...)
			servers := NewCA(t, "CA of the devices")
			certificate := servers.Issue(t, Subject{CommonName: "device", DNS: []string{serverName}})
			d := NewLibnetconf(t, LibnetconfOptions{TLS: true, Tick: 50 * time.Millisecond, Certificate: &certificate})
			r := NewRendezvous(t, CallHomeTLSPort)
			d.CallHome(t, r.Address)
			m := kind.Connect(t, TLSTarget{Address: r.Manager, Certificate: d.TLS.Login, Servers: servers})
			if err := (Job{Device: &d.Device, Value: "rack 7"}).Run(m); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestLibnetconfsManagerDoesTheJobOverSSH(t *testing.T) {
	t.Parallel()
	d := NewLibnetconf(t, LibnetconfOptions{Tick: 50 * time.Millisecond})
	r := NewRendezvous(t, CallHomePort)
	d.CallHome(t, r.Address)
	m := ConnectLibnetconfSSH(t, Target{Address: r.Manager, Username: d.Username, Password: d.Password})
	if err := (Job{Device: &d.Device, Value: "rack 7"}).Run(m); err != nil {
		t.Fatal(err)
	}
}

func TestExpiryAndRevocationAreSeenByOpenSSL(t *testing.T) {
	t.Parallel()
	Need(t, "openssl")
	ca := NewCA(t, "root").Intermediate(t, "below")
	sound, expired := ca.Issue(t, Subject{CommonName: "sound"}), ca.Issue(t, Subject{CommonName: "old", NotAfter: time.Now().Add(-time.Hour)})
	for name, test := range map[string]struct {
		certificate Certificate
		crl         string
		want        string
	}{
		"sound":   {sound, ca.NewCRL(t), "OK"},
		"expired": {expired, ca.NewCRL(t), "expired"},
		"revoked": {sound, ca.NewCRL(t, sound), "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Start(t, "openssl", openssl("verify", "-partial_chain", "-CAfile", ca.Path, "-crl_check", "-CRLfile", test.crl, test.certificate.Path))
			<-p.Done()
			if !p.Output.Contains(test.want) {
				t.Error(p.Output)
			}
		})
	}
}
