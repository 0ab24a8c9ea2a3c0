package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeBackend answers with what the test put into it, or with what it was asked.
type fakeBackend struct {
	Backend
	status  Status
	devices []Device
	err     error
	asked   string
	block   chan struct{} // if not nil, Status waits for it
	entered chan struct{}
}

func (b *fakeBackend) Status(context.Context) (Status, error) {
	if b.block != nil {
		close(b.entered)
		<-b.block
	}
	return b.status, b.err
}
func (b *fakeBackend) Devices(context.Context) ([]Device, error) { return b.devices, b.err }
func (b *fakeBackend) Device(_ context.Context, name string) (Device, error) {
	b.asked = "device " + name
	return Device{Name: name}, b.err
}
func (b *fakeBackend) Approve(_ context.Context, r ApproveRequest) (Device, error) {
	b.asked = fmt.Sprintf("approve %+v", r)
	return Device{Name: r.Name, Identity: r.Device}, b.err
}
func (b *fakeBackend) Reject(_ context.Context, device string) (Device, error) {
	b.asked = "reject " + device
	return Device{Identity: device}, b.err
}
func (b *fakeBackend) Forget(_ context.Context, name string) error {
	b.asked = "forget " + name
	return b.err
}
func (b *fakeBackend) Disconnect(_ context.Context, name string) error {
	b.asked = "disconnect " + name
	return b.err
}

// socketPath is short enough for a unix socket, whatever the test is called.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, SocketName)
}

// start serves the backend until the test ends.
func start(t *testing.T, b Backend) *Client {
	t.Helper()
	path := socketPath(t)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, b, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left over: %v", err)
		}
	})
	return NewClient(path)
}

func TestAnswersArriveAsTheyWereGiven(t *testing.T) {
	now := time.Now().UTC().Round(0)
	b := &fakeBackend{
		status: Status{Version: "v1", PID: 7, Started: now, Callhome: Listener{Enabled: true, Address: "[::]:4334"},
			Devices: Counts{1, 2, 3}, Failures: []Failure{{Identity: "SHA256:x", User: "fleet", Since: now}},
			Awaited: []Awaited{{Address: "192.0.2.1", Usernames: []string{"a"}}}},
		devices: []Device{{Name: "edge-1", State: StateConnected, Port: 20001, Since: now, LastOutcome: &Outcome{Time: now, Reason: "accepted"}}},
	}
	c := start(t, b)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || !reflect.DeepEqual(s, b.status) {
		t.Errorf("status: %+v %v", s, err)
	}
	if d, err := c.Devices(ctx); err != nil || !reflect.DeepEqual(d, b.devices) {
		t.Errorf("devices: %+v %v", d, err)
	}
	fingerprint := "SHA256:a/b+c"
	if d, err := c.Device(ctx, fingerprint); err != nil || d.Name != fingerprint {
		t.Errorf("device: %+v %v", d, err)
	}
	request := ApproveRequest{Device: fingerprint, Name: "edge-2", User: "fleet", Replace: true}
	if d, err := c.Approve(ctx, request); err != nil || d.Identity != fingerprint || b.asked != fmt.Sprintf("approve %+v", request) {
		t.Errorf("approve: %+v %v, asked %s", d, err, b.asked)
	}
	if d, err := c.Reject(ctx, fingerprint); err != nil || d.Identity != fingerprint {
		t.Errorf("reject: %+v %v", d, err)
	}
	if err := c.Forget(ctx, "edge-1"); err != nil || b.asked != "forget edge-1" {
		t.Errorf("forget: %v, asked %s", err, b.asked)
	}
	if err := c.Disconnect(ctx, "edge-1"); err != nil || b.asked != "disconnect edge-1" {
		t.Errorf("disconnect: %v, asked %s", err, b.asked)
	}
}

func TestNoDevicesAreAnEmptyArray(t *testing.T) {
	if d, err := start(t, &fakeBackend{}).Devices(t.Context()); err != nil || d == nil {
		t.Errorf("%#v %v", d, err)
	}
}

func TestErrorsKeepTheirKindAndText(t *testing.T) {
	for _, kind := range []error{ErrInvalid, ErrNotConnected, ErrConfigured, ErrInUse, ErrStopping, ErrBusy, auth.ErrUnknownDevice, auth.ErrUnknownEntry, auth.ErrNameTaken, auth.ErrAmbiguous, auth.ErrBadName, context.DeadlineExceeded} {
		t.Run(kind.Error(), func(t *testing.T) {
			b := &fakeBackend{err: fmt.Errorf("forgetting \"edge-1\": %w: do that", kind)}
			err := start(t, b).Forget(t.Context(), "edge-1")
			if !errors.Is(err, kind) || err.Error() != b.err.Error() {
				t.Errorf("got %v", err)
			}
		})
	}
	b := &fakeBackend{err: errors.New("no space left on device")}
	if err := start(t, b).Forget(t.Context(), "edge-1"); err == nil || err.Error() != b.err.Error() {
		t.Errorf("got %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	c := start(t, &fakeBackend{})
	for name, r := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"an unknown path":    {"GET", "/secret", "", 404, `no such request: GET`},
		"another method":     {"DELETE", "/v1/devices", "", 404, `no such request: DELETE`},
		"no JSON":            {"POST", "/v1/approve", "name=x", 400, "invalid request"},
		"an unknown field":   {"POST", "/v1/approve", `{"devices":"x"}`, 400, "unknown field"},
		"two objects":        {"POST", "/v1/forget", `{"device":"x"}{}`, 400, "something follows"},
		"no body":            {"POST", "/v1/forget", "", 400, "invalid request"},
		"a body without end": {"POST", "/v1/forget", `{"device":"` + strings.Repeat("x", 2*maxBody) + `"}`, 400, "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), r.method, "http://x"+r.path, strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			response, err := c.http.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != r.status || !strings.Contains(string(text), r.want) ||
				response.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s %v", response.Status, text, err)
			}
		})
	}
}

func TestARequestInProgressIsFinished(t *testing.T) {
	b := &fakeBackend{status: Status{Version: "v1"}, block: make(chan struct{}), entered: make(chan struct{})}
	l, err := Listen(socketPath(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, b, nil) }()
	answered := make(chan error, 1)
	go func() {
		_, err := NewClient(l.Addr().String()).Status(context.Background())
		answered <- err
	}()
	<-b.entered
	cancel()
	close(b.block)
	if err := errors.Join(<-answered, <-served); err != nil {
		t.Error(err)
	}
}

func TestServeTellsWhenItsListenerFails(t *testing.T) {
	l, err := Listen(socketPath(t))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), l, &fakeBackend{}, nil); err == nil {
		t.Error("no error")
	}
}

func TestNobodyAnswers(t *testing.T) {
	path := socketPath(t)
	check := func(t *testing.T) {
		t.Helper()
		_, err := NewClient(path).Status(t.Context())
		if !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "callhome-gateway serve") || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	}
	t.Run("no socket", check)
	leaveStaleSocket(t, path)
	t.Run("a stale socket", check)
}

func leaveStaleSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := socketPath(t)
	leaveStaleSocket(t, path)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v %v", info.Mode(), err)
	}
}

func TestListenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
	}{
		"a socket that answers": {func(t *testing.T, path string) {
			l, err := Listen(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, "another callhome-gateway answers"},
		"a file": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "move it away"},
		"an open directory": {func(t *testing.T, path string) {
			if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "run chmod 700"},
	} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			c.prepare(t, path)
			l, err := Listen(path)
			if err == nil {
				l.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	t.Run("a path that is too long", func(t *testing.T) {
		dir := filepath.Join(filepath.Dir(socketPath(t)), strings.Repeat("x", 100))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(filepath.Join(dir, SocketName)); err == nil || !strings.Contains(err.Error(), "shorter state_dir") {
			t.Errorf("got %v", err)
		}
	})
}
