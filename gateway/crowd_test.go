package gateway

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// dialFrom connects from one of many loopback addresses.
func dialFrom(t testing.TB, i int, port uint16) net.Conn {
	t.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))}}
	conn, err := from.Dial("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// byKey logs in with noc's key.
func byKey(t testing.TB) *ssh.ClientConfig {
	config := password("noc@edge-1", "")
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(signer(t, 2))}
	return config
}

// comesIn waits until the manager is let in: each try has its chance once those
// who came just before it have been waited for.
func comesIn(t testing.TB, port uint16, config *ssh.ClientConfig) {
	t.Helper()
	eventually(t, "login", func() bool {
		client, err := ssh.Dial("tcp", address(port), config)
		if err == nil {
			client.Close()
		}
		return err == nil
	})
}

// Connections that say nothing, or stop in the middle, shut nobody out. They
// make room only for those who come.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	opts := nocOptions(t)
	opts.MaxLogins = 16
	h := serve(t, opts).with(t, "edge-1")
	const silent = 100
	open := make([]net.Conn, silent)
	for i := range open {
		open[i] = dialFrom(t, i, opts.Port)
		if i%2 == 1 {
			fmt.Fprint(open[i], "SSH-2.0-slow\r\n")
		}
	}
	comesIn(t, opts.Port, byKey(t))
	h.stop()
	if len(h.log.linesWith("too many managers are logging in at once")) == 0 {
		t.Error("the log does not say that connections were dropped")
	}
}

func TestRoomIsTakenFromWhoWaitsLongest(t *testing.T) {
	opts := nocOptions(t)
	opts.MaxLogins = 1
	serve(t, opts).with(t, "edge-1")
	silent := dialFrom(t, 1, opts.Port)
	if _, err := io.ReadFull(silent, make([]byte, len(serverVersion))); err != nil {
		t.Fatal(err)
	}
	comesIn(t, opts.Port, byKey(t))
	silent.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, silent); err != nil && !strings.Contains(err.Error(), errReset.Error()) {
		t.Errorf("who kept the place is still there: %v", err)
	}
}

// Nobody is thrown out because we are slow.
func TestWhoWaitsForUsKeepsItsPlace(t *testing.T) {
	places, evicted := auth.NewPlaces(1), false
	l := sshLogin{place: places.Enter(auth.Arrival{Penalised: true, Evict: func() { evicted = true }})}
	l.working(true)
	if places.Enter(auth.Arrival{Source: netip.MustParsePrefix("192.0.2.1/32")}) != nil || evicted {
		t.Error("another has its place while its password is hashed")
	}
	l.working(false)
	if places.Enter(auth.Arrival{Source: netip.MustParsePrefix("192.0.2.1/32")}) == nil || !evicted {
		t.Error("it keeps its place when it keeps us waiting")
	}
}

// What becomes of a connection is remembered of its source.
func TestLoginsMakeSourcesKnown(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts)
	failed := func() bool {
		return !h.Gateway.opts().logins.Arrival(netip.MustParseAddr("127.0.0.1")).Source.IsValid()
	}
	known := func() bool { return !h.Gateway.opts().logins.Arrival(netip.MustParseAddr("127.0.0.1")).Penalised }
	if failed() || known() {
		t.Fatal("the source is not new")
	}
	conn, err := net.Dial("tcp", address(opts.Port))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	eventually(t, "failure", failed)
	comesIn(t, opts.Port, byKey(t))
	eventually(t, "success", known)
}

// guessFrom guesses from many addresses until the test ends.
func guessFrom(t testing.TB, sources int, port uint16) {
	done := make(chan struct{})
	var guessing sync.WaitGroup
	for i := range sources {
		guessing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, byte(i>>8), byte(i))}, Timeout: time.Second}
				conn, err := from.Dial("tcp", address(port))
				if err != nil {
					continue
				}
				conn.SetDeadline(time.Now().Add(5 * time.Second))
				_, _, _, _ = ssh.NewClientConn(conn, address(port), password("noc@edge-1", fmt.Sprint("guess ", n)))
				conn.Close()
			}
		})
	}
	t.Cleanup(guessing.Wait)
	t.Cleanup(func() { close(done) })
}

// costlyOptions are nocOptions with passwords that take long to hash, above all with
// the race detector.
func costlyOptions(t testing.TB, cost int) Options {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), cost)
	if err != nil {
		t.Fatal(err)
	}
	opts := nocOptions(t)
	for i := range opts.Managers {
		opts.Managers[i].PasswordHash = string(hash)
	}
	return opts
}

// There are more passwords to hash than can be: nobody who comes by
// key, or from where somebody has logged in before, waits for them all.
func TestGuessersDelayNobody(t *testing.T) {
	opts := costlyOptions(t, 8)
	opts.MaxLogins = 16
	h := serve(t, opts).with(t, "edge-1")
	comesIn(t, opts.Port, byKey(t)) // from now on this address is known
	guessFrom(t, 20, opts.Port)
	eventually(t, "queue of guesses", func() bool {
		return len(h.log.linesWith(auth.ErrLoginsBusy.Error())) > 0 || h.arrive.Taken() == opts.MaxLogins
	})
	comesIn(t, opts.Port, byKey(t))
	comesIn(t, opts.Port, password("admin@edge-1", "right"))
}

// One whose password is not looked at is not told that it is wrong.
func TestBusyIsNoRefusal(t *testing.T) {
	opts := costlyOptions(t, 10)
	h := serve(t, opts)
	const guessers = 150
	var told [guessers]int // to try again
	var guessing sync.WaitGroup
	for i := range guessers {
		conn := dialFrom(t, i, opts.Port)
		config := password(fmt.Sprintf("user-%d@edge-1", i), "")
		config.Auth = []ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
			told[i]++
			if told[i] > 1 {
				conn.Close()
			}
			return "guess", nil
		}), 2)}
		guessing.Go(func() { _, _, _, _ = ssh.NewClientConn(conn, address(opts.Port), config) })
	}
	eventually(t, "sign of too many", func() bool { return len(h.log.linesWith(auth.ErrLoginsBusy.Error())) > 0 })
	h.stop()
	guessing.Wait()
	for _, line := range h.log.linesWith(auth.ErrLoginsBusy.Error()) {
		var i int
		_, user, _ := strings.Cut(line, "user=user-")
		if _, err := fmt.Sscan(strings.Replace(user, "@", " ", 1), &i); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if told[i] != 1 {
			t.Errorf("user %d is told that its password is wrong", i)
		}
	}
}
