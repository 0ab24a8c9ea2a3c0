package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"

	"github.com/hashicorp/go-hclog"
)

// systemdEar hears what a service tells systemd.
type systemdEar struct{ conn *net.UnixConn }

func listenAsSystemd(t *testing.T) systemdEar {
	t.Helper()
	dir, err := os.MkdirTemp("", "n") // t.TempDir is too long for a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return systemdEar{conn}
}

// await returns the next message that begins so.
func (e systemdEar) await(t *testing.T, begin string) string {
	t.Helper()
	_ = e.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	for {
		n, err := e.conn.Read(buf)
		if err != nil {
			t.Fatalf("nothing begins with %q: %v", begin, err)
		}
		if text := string(buf[:n]); strings.HasPrefix(text, begin) {
			return text
		}
	}
}

func TestSystemdIsToldHowTheGatewayDoes(t *testing.T) {
	ear := listenAsSystemd(t)
	t.Setenv("WATCHDOG_USEC", "200000")
	r := startReloading(t, testConfig(t), func(o *Options) { o.Service = true })
	ear.await(t, "READY=1")
	if text := ear.await(t, "WATCHDOG=1\nSTATUS="); !strings.Contains(text, "0 devices connected, 0 calls in progress, 0 manager sessions") {
		t.Errorf("%q", text)
	}
	ear.await(t, "WATCHDOG=1") // and again
	r.hangup <- os.Interrupt   // any signal: serve sends it SIGHUP
	fields := strings.Split(strings.TrimSpace(ear.await(t, "RELOADING=1\nMONOTONIC_USEC=")), "=")
	if usec, err := strconv.ParseUint(fields[len(fields)-1], 10, 64); err != nil || usec == 0 {
		t.Errorf("%q", fields)
	}
	ear.await(t, "READY=1")
	r.drain()
	if text := ear.await(t, "STOPPING=1"); !strings.Contains(text, "\nEXTEND_TIMEOUT_USEC=") {
		t.Errorf("%q", text)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestAPartThatDoesNotAnswerIsNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncBuffer
		s := &service{log: hclog.New(&hclog.LoggerOptions{Output: &out}), watchdog: 4 * time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		var asked atomic.Int64
		locked := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = s.live(ctx, func() string {
				if asked.Add(1) > 3 {
					<-locked
				}
				return "fine"
			})
		}()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("all is well, and: %s", out.String())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(out.String(), "does not answer"); n != 1 || asked.Load() != 4 {
			t.Errorf("told %d times, asked %d times:\n%s", n, asked.Load(), out.String())
		}
		close(locked)
		time.Sleep(3 * time.Second)
		cancel()
		<-ended
		if asked.Load() < 5 {
			t.Error("it answers again and is not asked")
		}
	})
}

// handedStateDir tells a child of the test that it is a gateway with sockets that
// systemd hands over, and where its state is.
const handedStateDir = "CALLHOME_GATEWAY_HANDED_STATE_DIR"

// runWithHandedSockets runs a gateway that wants the ports of its environment,
// and prints one line when it is ready.
func runWithHandedSockets(dir string) int {
	port := func(name string) uint16 {
		n, _ := strconv.ParseUint(os.Getenv(name), 10, 16)
		return uint16(n)
	}
	user := &auth.User{Name: "fleet", Username: "netconf", Password: "secret"}
	c := &config.Config{
		StateDir: dir, Enabled: true,
		Callhome: config.Callhome{Main: config.Listener{Address: loopback, Port: port("CALLS")}, Options: callhome.Options{
			Users: []*auth.User{user}, NamedUsers: map[string]*auth.User{"fleet": user}, RejectDelay: -1,
		}},
		Gateway: gateway.Options{Address: loopback, Port: port("SHARED")},
	}
	err := Run(context.Background(), c, Options{
		Service: true, Log: hclog.New(&hclog.LoggerOptions{Output: os.Stderr}),
		Ready: func(Addresses) {
			fmt.Printf("ready LISTEN_FDS=%q LISTEN_PID=%q\n", os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID"))
		},
	})
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// TestSocketsThatSystemdHandsOverAreUsed starts a gateway as systemd does, with
// sockets that nobody else could open meanwhile.
func TestSocketsThatSystemdHandsOverAreUsed(t *testing.T) {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	state := filepath.Join(dir, "state")
	ports, files := make([]string, 3), make([]*os.File, 3)
	for i := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close() // systemd keeps it too
		_, ports[i], _ = net.SplitHostPort(ln.Addr().String())
		if files[i], err = ln.(*net.TCPListener).File(); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, self)
	cmd.ExtraFiles = files
	cmd.Env = append(os.Environ(), handedStateDir+"="+state, "CALLS="+ports[0], "SHARED="+ports[1],
		"LISTEN_FDS=3", "LISTEN_FDNAMES=callhome:gateway:old")
	var out, log syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	out.await(t, `ready LISTEN_FDS="" LISTEN_PID=""`)
	log.await(t, "name=old address=127.0.0.1:"+ports[2])

	h := house{Client: control.NewClient(filepath.Join(state, control.SocketName))}
	startDevice(t, "127.0.0.1:"+ports[0], "device")
	h.await(t, control.StatePending)
	manager, err := net.Dial("tcp", "127.0.0.1:"+ports[1])
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	_ = manager.SetReadDeadline(time.Now().Add(20 * time.Second))
	banner := make([]byte, 4)
	if _, err := manager.Read(banner); err != nil || string(banner) != "SSH-" {
		t.Errorf("%q, %v", banner, err)
	}
	// systemd has the port still: what is stopped can be started again.
	for range 2 {
		if _, err := h.StopCallhome(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, err := h.StartCallhome(t.Context(), control.StartRequest{}); err != nil || !s.Listeners[0].Listening {
			t.Fatalf("%+v, %v", s, err)
		}
	}
}
