package callhome_test

import (
	"context"
	"io"
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

// junosDevice is a device with the key of that name that begins like Junos.
func junosDevice(t *testing.T, keyName, id, secret string) devicesim.Options {
	return devicesim.Options{
		HostKeys: []ssh.Signer{key(t, keyName)}, Junos: &devicesim.Junos{DeviceID: id, Secret: secret},
	}
}

// startOn is start for a listener other than the plain one.
func startOn(t *testing.T, o callhome.Options, l callhome.Listener) *server {
	t.Helper()
	s := newServer(t, o)
	l.Transport = callhome.SSH
	run(t, func(ctx context.Context) error { return s.ServeListener(ctx, s.ln, l) })
	return s
}

func TestAJunosDeviceAttachesByItsSecret(t *testing.T) {
	m := &memory{}
	s := start(t, callhome.Options{
		Entries: []callhome.Entry{{Name: "edge-1", DeviceID: "MX480.lab", DeviceSecret: "own", User: fleetUser()}},
		Trust:   auth.TrustPinned, Memory: m,
	})
	device(t, s, junosDevice(t, "device", "MX480.lab", "own"))
	if o := s.want(t, callhome.Accepted); o.Device != "edge-1" || o.Identity != identity(t, "device") {
		t.Errorf("accepted as %q with %s", o.Device, o.Identity)
	}
	if len(m.Named("edge-1")) > 0 {
		t.Error("the key was remembered, though the configuration knows the secret")
	}
}

// TestADeviceOfTheFleetKeepsItsName has the first device of an id attach by the
// common secret, and others that have the secret try to be it.
func TestADeviceOfTheFleetKeepsItsName(t *testing.T) {
	m := &memory{}
	s := startOn(t, callhome.Options{Users: []*auth.User{fleetUser()}, Trust: auth.TrustPinned, Memory: m}, callhome.Listener{DeviceSecret: "common"})
	device(t, s, junosDevice(t, "device", "MX-1", "common"))
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	device(t, s, junosDevice(t, "second", "mx-1", "common"))
	if o := s.want(t, callhome.RejectedKeyChanged); o.Device != "mx-1" {
		t.Errorf("the device is %q", o.Device)
	}
	known := m.Named("mx-1")
	if len(known) != 1 || known[0].Identity != identity(t, "device") || known[0].FirstUse {
		t.Errorf("known as mx-1: %+v", known)
	}
	if s.Link("mx-1") != link || link.Err() != nil {
		t.Error("the link of the first did not stay")
	}
}

// TestAReplayedPreambleIsWorthNothing has a stranger repeat what a device has
// said in clear.
func TestAReplayedPreambleIsWorthNothing(t *testing.T) {
	m, log := &memory{}, &authLog{}
	s := start(t, callhome.Options{
		Entries: []callhome.Entry{{Name: "edge-1", DeviceID: "mx", DeviceSecret: "own"}},
		Users:   []*auth.User{fleetUser()}, Trust: auth.TrustFirstUse, Memory: m,
	})
	stranger := junosDevice(t, "stranger", "mx", "own")
	stranger.Junos.HostKey, stranger.OnAuth = key(t, "device").PublicKey(), log.add
	device(t, s, stranger)
	if o := s.want(t, callhome.RejectedKeyChanged); o.Device != "edge-1" || !strings.Contains(o.Detail, identity(t, "device").String()) {
		t.Errorf("%q: %s", o.Device, o.Detail)
	}
	if got := log.all(); len(got) > 0 {
		t.Errorf("the stranger saw %q", got)
	}
	if len(m.devices) > 0 {
		t.Errorf("remembered: %+v", m.devices)
	}
}

// TestAWrongHMACIsRejectedBeforeSSH reads what the device gets: nothing, for as
// long as a rejected call is held.
func TestAWrongHMACIsRejectedBeforeSSH(t *testing.T) {
	const delay = 200 * time.Millisecond
	s := startOn(t, callhome.Options{Users: []*auth.User{fleetUser()}, RejectDelay: delay}, callhome.Listener{DeviceSecret: "common"})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	_, err = io.WriteString(conn, "MSG-ID: DEVICE-CONN-INFO\r\nMSG-VER: V1\r\nDEVICE-ID: mx\r\nHOST-KEY: "+
		strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key(t, "device").PublicKey())))+
		"\r\nHMAC: 0000000000000000000000000000000000000000\r\nSSH-2.0-OpenSSH_7.5\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if o := s.want(t, callhome.RejectedUntrusted); !strings.Contains(o.Detail, `"mx"`) || strings.Contains(o.Detail, "common") || o.Device != "" {
		t.Errorf("%q: %s", o.Device, o.Detail)
	}
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("the device was sent %q", got)
	}
	if held := time.Since(begun); held < delay {
		t.Errorf("closed after %s", held)
	}
}

// TestAClaimDisturbsNobody has a stranger claim, without an HMAC, to be a
// device that is configured, approved or connected.
func TestAClaimDisturbsNobody(t *testing.T) {
	for _, trust := range []auth.Trust{auth.TrustApprove, auth.TrustPinned, auth.TrustFirstUse} {
		t.Run(trust.String(), func(t *testing.T) {
			m := &memory{}
			m.add("approved", identity(t, "approved"))
			m.add("connected", identity(t, "device"))
			user := fleetUser()
			user.FirstUsePassword = true
			s := start(t, callhome.Options{
				Entries: []callhome.Entry{
					{Name: "configured", Pins: []auth.Identity{identity(t, "configured")}},
					{Name: "expected", DeviceID: "mx"},
					{Name: "secret", DeviceID: "mx-secret", DeviceSecret: "own"},
				},
				Users: []*auth.User{user}, Trust: trust, Memory: m,
			})
			device(t, s, devicesim.Options{})
			s.want(t, callhome.Accepted)
			victim := receive(t, s.links, "link")
			for _, id := range []string{"configured", "approved", "connected", "expected", "mx", "secret", "mx-secret"} {
				device(t, s, junosDevice(t, "claims "+id, id, ""))
				switch o := s.next(t); {
				case trust == auth.TrustApprove && o.Reason == callhome.RejectedPending && o.Device == "":
				case trust == auth.TrustPinned && o.Reason == callhome.RejectedUntrusted && o.Device == "":
				case trust == auth.TrustFirstUse && o.Reason == callhome.Accepted && strings.HasPrefix(o.Device, "dev-"):
				default:
					t.Errorf("%s: %s as %q: %s", id, o.Reason, o.Device, o.Detail)
				}
			}
			if s.Link("connected") != victim || victim.Err() != nil {
				t.Error("the link of the victim did not stay")
			}
			for _, p := range m.pending {
				// The session that waits for this id is what it is to be approved as.
				if p.Name != "" && (p.Name != "expected" || p.Identity != identity(t, "claims mx")) {
					t.Errorf("pending as %q: %s", p.Name, p.Identity)
				}
			}
			for _, name := range []string{"configured", "approved", "connected", "expected", "secret"} {
				for _, d := range m.Named(name) {
					if d.Identity != identity(t, "approved") && d.Identity != identity(t, "device") {
						t.Errorf("%s belongs to %s now", name, d.Identity)
					}
				}
			}
		})
	}
}

// TestAClaimIsProposedAsAName is what the operator and the hook are told.
func TestAClaimIsProposedAsAName(t *testing.T) {
	m, asked := &memory{}, make(chan callhome.CallInfo, 1)
	s := start(t, callhome.Options{
		Users: []*auth.User{fleetUser()}, Memory: m,
		UserSelect: func(_ context.Context, info callhome.CallInfo) (callhome.Selection, error) {
			asked <- info
			return callhome.Selection{}, nil
		},
	})
	device(t, s, junosDevice(t, "device", "MX-9", ""))
	s.want(t, callhome.RejectedPending)
	if info := receive(t, asked, "question"); info.DeviceID != "MX-9" {
		t.Errorf("the hook was told %q", info.DeviceID)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.pending) != 1 || m.pending[0].Name != "mx-9" {
		t.Errorf("pending: %+v", m.pending)
	}
}

// TestDevicesThatSayWhoTheyAreNeedOneCallEach has devices of different
// usernames behind one address. Without what they say it would take more.
func TestDevicesThatSayWhoTheyAreNeedOneCallEach(t *testing.T) {
	var entries []callhome.Entry
	usernames := []string{"alpha", "beta", "gamma"}
	for i, username := range usernames {
		entries = append(entries,
			callhome.Entry{Name: "by-pin-" + username, DeviceID: "pin " + username, Pins: []auth.Identity{identity(t, "pin "+username)}},
			callhome.Entry{Name: "by-secret-" + username, DeviceID: "secret " + username, DeviceSecret: auth.Secret("own " + username)})
		entries[2*i].User = &auth.User{Name: username, Username: username, Password: "secret"}
		entries[2*i+1].User = entries[2*i].User
	}
	s := start(t, callhome.Options{Entries: entries, Users: []*auth.User{fleetUser()}, Trust: auth.TrustPinned})
	for _, username := range usernames {
		for _, o := range []devicesim.Options{
			junosDevice(t, "pin "+username, "pin "+username, ""),
			junosDevice(t, "secret "+username, "secret "+username, "own "+username),
		} {
			o.Username, o.Source = username, netip.MustParseAddr("127.0.0.1")
			device(t, s, o)
			s.want(t, callhome.Accepted)
		}
	}
}
