package callhome_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// strangers call from an address each and send what they are given.
func strangers(t *testing.T, s *server, count int, send string) {
	t.Helper()
	for i := range count {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, 0, byte(i+1))}}
		conn, err := dialer.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, send); err != nil {
			t.Fatal(err)
		}
		if len(send) > longestVersion { // the handshake has a place when the gateway's part of it comes
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.ReadFull(conn, make([]byte, longestVersion+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// longestVersion is that of a version line (RFC 4253 section 4.2): what is longer
// has a packet behind it.
const longestVersion = 255

// firstMessages are what a device sends before it has heard anything of the
// gateway but its version line.
func firstMessages(t *testing.T) string {
	t.Helper()
	gateway, device := net.Pipe()
	defer gateway.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(key(t, "stranger"))
		_, _, _, _ = ssh.NewServerConn(device, config)
	}()
	defer func() { _ = gateway.Close(); <-done }()
	go func() { _, _ = io.WriteString(gateway, "SSH-2.0-x\r\n") }()
	sent := make([]byte, 0, 8192)
	for {
		n, err := gateway.Read(sent[len(sent):cap(sent)])
		if sent = sent[:len(sent)+n]; err != nil {
			t.Fatal(err)
		}
		if _, packet, ok := strings.Cut(string(sent), "\r\n"); ok && len(packet) > 4 && len(packet) >= 4+int(packet[2])<<8+int(packet[3]) {
			return string(sent)
		}
	}
}

// However many keep the gateway waiting, and however far they go, a device that
// calls gets in, and one of them makes room for it.
func TestADeviceGetsInAmongThoseWhoKeepUsWaiting(t *testing.T) {
	for _, c := range []struct {
		name, send string
		bound      func(*callhome.Options)
	}{
		{"silent", "", func(o *callhome.Options) { o.MaxCalls = 8 }},
		{"version line", "SSH-2.0-x\r\n", func(o *callhome.Options) { o.MaxCalls = 8 }},
		{"key exchange begun", firstMessages(t), func(o *callhome.Options) { o.MaxHandshakes = 8 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := known(t)
			c.bound(&o)
			s := start(t, o)
			strangers(t, s, 8, c.send)
			for deadline := time.Now().Add(10 * time.Second); s.Calls() < 8; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the calls were not taken")
				}
			}
			device(t, s, devicesim.Options{Reconnect: 20 * time.Millisecond})
			evicted, attached := false, false
			for begin := time.Now(); !evicted || !attached; { // the outcomes come in any order
				if time.Since(begin) > 20*time.Second {
					t.Fatalf("the device got in: %t; somebody made room: %t", attached, evicted)
				}
				switch got := s.next(t); got.Reason {
				case callhome.RejectedLimit:
					evicted = evicted || strings.Contains(got.Detail, "kept the gateway waiting")
				case callhome.Accepted:
					attached = true
				default:
					t.Fatalf("%s: %s", got.Reason, got.Detail)
				}
			}
		})
	}
}

// Somebody who makes up keys is let in on first use, but does not keep the place
// of a device that is known.
func TestAStrangerOnFirstUseMakesRoom(t *testing.T) {
	user := fleetUser()
	user.FirstUsePassword = true
	m := &memory{}
	m.add("edge-1", identity(t, "device"))
	s := start(t, callhome.Options{Users: []*auth.User{user}, Memory: m, Trust: auth.TrustFirstUse, MaxCalls: 4})
	block := make(chan struct{})
	defer close(block)
	for i := range 4 {
		reached := make(chan struct{}, 1)
		device(t, s, devicesim.Options{
			HostKeys: []ssh.Signer{key(t, "stranger"+string(rune('0'+i)))}, Reconnect: time.Hour,
			OnAuth: func(string, string) {
				select {
				case reached <- struct{}{}:
				default:
				}
				<-block
			},
		})
		receive(t, reached, "login")
	}
	device(t, s, devicesim.Options{Reconnect: 20 * time.Millisecond})
	for begin := time.Now(); time.Since(begin) < 20*time.Second; {
		if got := s.next(t); got.Reason == callhome.Accepted {
			if got.Device != "edge-1" {
				t.Errorf("%s got in", got.Device)
			}
			return
		}
	}
	t.Error("the device did not get in")
}
