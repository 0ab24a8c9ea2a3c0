package gateway

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestLogin(t *testing.T) {
	opts := nocOptions(t)
	own := freePort(t)
	opts.Devices = []DeviceConfig{{Name: "edge-1", Port: own}}
	h := serve(t, opts).with(t, "edge-1", "core-1")
	for _, c := range []struct {
		port           uint16
		user, password string
		want           bool
	}{
		{own, "noc", "right", true},
		{own, "admin", "right", true},
		{own, "noc", "wrong", false},
		{own, "nobody", "right", false},
		{own, "noc@edge-1", "right", false},
		{opts.Port, "noc@edge-1", "right", true},
		{opts.Port, "noc@EDGE-1", "right", true},
		{opts.Port, "noc@edge-99", "right", true}, // is told that there is none
		{opts.Port, "noc@edge-1", "wrong", false},
		{opts.Port, "noc@core-1", "right", false},
		{opts.Port, "noc@nowhere", "right", false},
		{opts.Port, "admin@core-1", "right", true},
		{opts.Port, "core-1@noc@edge-1", "right", false},
		{opts.Port, "noc", "right", true}, // is told how to name a device
		{opts.Port, "noc@", "right", true},
		{opts.Port, "@edge-1", "right", false},
		{opts.Port, "", "right", false},
	} {
		client, err := ssh.Dial("tcp", address(c.port), password(c.user, c.password))
		if err == nil {
			client.Close()
		}
		if c.want != (err == nil) || !c.want && !authFailed(err) {
			t.Errorf("%q with %q on port %d: %v", c.user, c.password, c.port, err)
		}
	}
	h.stop()
	if got := h.log.String(); !strings.Contains(got, "wrong password") || !strings.Contains(got, "may not reach this device") {
		t.Errorf("the log does not say why logins were refused:\n%s", got)
	}
}

func TestLoginByKey(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts).with(t, "edge-1", "core-1")
	for _, c := range []struct {
		user string
		keys []ssh.Signer
		want bool
	}{
		{"noc@edge-1", []ssh.Signer{signer(t, 2)}, true},
		{"noc@edge-1", []ssh.Signer{signer(t, 3), signer(t, 4), signer(t, 2)}, true},
		{"noc@edge-1", []ssh.Signer{signer(t, 3)}, false},
		{"noc@core-1", []ssh.Signer{signer(t, 2)}, false},
		{"admin@edge-1", []ssh.Signer{signer(t, 2)}, false},
	} {
		config := password(c.user, "")
		config.Auth = []ssh.AuthMethod{ssh.PublicKeys(c.keys...)}
		client, err := ssh.Dial("tcp", address(h.opts.Port), config)
		if c.want != (err == nil) {
			t.Errorf("%s: %v", c.user, err)
		}
		if err == nil {
			if got := hello(t, client).get(); !strings.Contains(got, "<device>edge-1<") {
				t.Errorf("%s reached %q", c.user, got)
			}
			client.Close()
		}
	}
}

// A user name and its key offers on one connection must not add up: what
// counts is the attempt that succeeded (CVE-2024-45337).
func TestGrantIsThatOfTheSuccessfulAttempt(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1", "core-1")
	// noc's key is asked about, and then another key tried: the login that
	// succeeds is by password, for the device that was named all along.
	config := password("noc@edge-1", "right")
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(signer(t, 3)), ssh.Password("right")}
	client, err := ssh.Dial("tcp", address(h.opts.Port), config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := hello(t, client).get(); !strings.Contains(got, "<device>edge-1<") {
		t.Errorf("reached %q", got)
	}
}

func TestAlgorithms(t *testing.T) {
	h := serve(t, nocOptions(t)).with(t, "edge-1")
	for _, c := range []struct {
		name string
		ssh  ssh.Config
		want bool
	}{
		{"paramiko", ssh.Config{KeyExchanges: []string{"curve25519-sha256@libssh.org"}, Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha2-256"}}, true},
		{"libssh's stray comma", ssh.Config{Ciphers: []string{"aes256-ctr", ""}}, true},
		{"hmac-sha1", ssh.Config{Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-sha1"}}, false},
		{"group14-sha1", ssh.Config{KeyExchanges: []string{"diffie-hellman-group14-sha1"}}, false},
		{"group-exchange", ssh.Config{KeyExchanges: []string{"diffie-hellman-group-exchange-sha256"}}, false},
		{"cbc", ssh.Config{Ciphers: []string{"aes128-cbc"}}, false},
	} {
		config := password("noc@edge-1", "right")
		config.Config = c.ssh
		client, err := ssh.Dial("tcp", address(h.opts.Port), config)
		if err == nil {
			client.Close()
		}
		if c.want != (err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestLoginTimeout(t *testing.T) {
	opts := nocOptions(t)
	opts.LoginTimeout = 50 * time.Millisecond
	serve(t, opts)
	conn, err := net.Dial("tcp", address(opts.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("a silent connection was not closed: %v", err)
	}
}

func TestGarbageOnThePort(t *testing.T) {
	opts := nocOptions(t)
	opts.LoginTimeout = time.Second
	h := serve(t, opts).with(t, "edge-1")
	for _, garbage := range []string{"GET / HTTP/1.0\r\n\r\n", strings.Repeat("x", 1<<20), "\x00\x01\x02\r\n"} {
		conn, err := net.Dial("tcp", address(opts.Port))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, garbage)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = io.Copy(io.Discard, conn)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("%.10q: the connection is still open", garbage)
		}
		conn.Close()
	}
	if got := hello(t, dial(t, opts.Port, "noc@edge-1")).get(); !strings.Contains(got, "<ok/>") {
		t.Errorf("then got %q", got)
	}
	h.stop()
}
