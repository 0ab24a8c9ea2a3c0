package devicesim

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestFleet(t *testing.T) {
	const count = 50
	l := listen(t)
	o := testOptions(t)
	o.HostKeys, o.Connect = nil, l.Addr().String()
	f, err := NewFleet(FleetOptions{Options: o, Count: count, Seed: "fleet", Sources: netip.MustParsePrefix("127.9.0.1/16"), Rate: 5000})
	if err != nil {
		t.Fatal(err)
	}
	if first, last := f.Devices[0].Name(), f.Devices[count-1].Name(); first != "dev-1" || last != "dev-50" {
		t.Errorf("names %s to %s", first, last)
	}
	before := runtime.NumGoroutine()
	start(t, f.Run)
	keys, sources := callers(t, l, count)
	if len(keys) != count || len(sources) != count {
		t.Errorf("%d host keys and %d addresses, want %d", len(keys), len(sources), count)
	}
	// Of the device 5: 3 of x/crypto, one for the connection and one for its
	// session. Of the client here 8, and what is on its way to end.
	if per := (runtime.NumGoroutine() - before) / count; per > 5+8 {
		t.Errorf("%d goroutines for a device and its client", per)
	}
}

// callers logs in to so many callers, opens a session with each, and returns
// the host keys and the addresses that they have.
func callers(t *testing.T, l net.Listener, count int) (keys, sources map[string]bool) {
	t.Helper()
	keys, sources = map[string]bool{}, map[string]bool{}
	var mu sync.Mutex
	for range count {
		conn := accept(t, l)
		c, chans, reqs, err := ssh.NewClientConn(conn, "device", &ssh.ClientConfig{
			User: "user", Auth: []ssh.AuthMethod{ssh.Password("secret")},
			HostKeyCallback: func(_ string, remote net.Addr, key ssh.PublicKey) error {
				mu.Lock()
				defer mu.Unlock()
				keys[ssh.FingerprintSHA256(key)] = true
				sources[remote.(*net.TCPAddr).IP.String()] = true
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		client := ssh.NewClient(c, chans, reqs)
		t.Cleanup(func() { _ = client.Close(); _ = client.Wait() })
		open(t, client)
	}
	return keys, sources
}

func TestUsernamesInTurn(t *testing.T) {
	o := testOptions(t)
	o.HostKeys = nil
	f, err := NewFleet(FleetOptions{Options: o, Count: 3, Usernames: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"a", "b", "a"} {
		conn, _, _, err := ssh.NewClientConn(serve(t, f.Devices[i]), "device", &ssh.ClientConfig{
			User: want, Auth: []ssh.AuthMethod{ssh.Password("secret")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		})
		if err != nil {
			t.Errorf("%s does not let %s in: %v", f.Devices[i].Name(), want, err)
			continue
		}
		_ = conn.Close()
	}
}

func TestPacer(t *testing.T) {
	p := newPacer(10)
	now := time.Unix(1, 0)
	for i, want := range []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond} {
		if got := p.reserve(now); got != want {
			t.Errorf("turn %d in %v, want %v", i, got, want)
		}
	}
	if got := p.reserve(now.Add(time.Minute)); got != 0 {
		t.Errorf("turn after a pause in %v", got)
	}
}
