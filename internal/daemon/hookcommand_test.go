package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"

	"github.com/hashicorp/go-hclog"
)

var hookCall = callhome.CallInfo{
	Remote: netip.MustParseAddrPort("192.0.2.7:40000"), Local: netip.MustParseAddrPort("[2001:db8::1]:4334"),
	Transport: callhome.SSH, Listener: "olts", DeviceID: "a\x1b\xff\"b",
}

// script writes a shell script and returns its path.
func script(t *testing.T, body string) string {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("there is no /bin/sh")
	}
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func newTestHook(t *testing.T, c config.Hook) *hook {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	c.MaxRunning = max(c.MaxRunning, 1)
	fleet := &auth.User{Name: "fleet"}
	h, err := newHook(config.Callhome{Hook: &c, Options: callhome.Options{NamedUsers: map[string]*auth.User{"fleet": fleet}}}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

// askHook asks as callhome does.
func askHook(t *testing.T, h *hook) (callhome.Selection, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), h.timeout)
	defer cancel()
	return h.choose(ctx, hookCall)
}

func TestAnswersOfACommand(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       callhome.Selection // of User only whether there is one
		err        string
	}{
		{name: "user", body: `echo '{"user":"fleet"}'`, want: callhome.Selection{User: &auth.User{Name: "fleet"}}},
		{name: "user and name", body: `echo '{"user":"fleet","name":"Edge-1"}'`, want: callhome.Selection{User: &auth.User{Name: "fleet"}, Name: "Edge-1"}},
		{name: "reject", body: `echo '{"reject":true,"reason":"not ours"}'`, want: callhome.Selection{Reject: true, Reason: "not ours"}},
		{name: "no opinion", body: `echo '{}'`},
		{name: "it need not read", body: `exec 0<&-; echo '{}'`},
		{name: "nothing", body: ``, err: `the answer is empty; one without an opinion is {}`},
		{name: "garbage", body: `echo 'hello'`, err: `the answer is no JSON object as it should be (invalid character 'h' looking for beginning of value): "hello"`},
		{name: "null", body: `echo null`, err: `(it is null): "null"`},
		{name: "list", body: `echo '[]'`, err: `(json: cannot unmarshal array into Go value`},
		{name: "two", body: `echo '{} {}'`, err: `(something follows the object): "{} {}"`},
		{name: "cut off", body: `printf '{"user":"fl'`, err: `(unexpected EOF): "{\"user\":\"fl"`},
		{name: "unknown field", body: `echo '{"usr":"fleet"}'`, err: `(json: unknown field "usr")`},
		{name: "wrong type", body: `echo '{"reject":"yes"}'`, err: `cannot unmarshal string`},
		{name: "unknown user", body: `printf '{"user":"\\u001b[31mnobody"}'`, err: `the answer names the user entry "\x1b[31mnobody", which the configuration does not have`},
		{name: "name", body: `echo '{"name":"edge 1"}'`, err: `the answer names the device "edge 1": a name is 1 to 63`},
		{name: "user and reject", body: `echo '{"user":"fleet","reject":true}'`, err: `the answer has reject and user`},
		{name: "reason alone", body: `echo '{"reason":"not ours"}'`, err: `the answer has a reason, and no reject`},
		{name: "huge", body: `yes '{"user":"fleet"}'`, err: `the answer is longer than 64 KiB`},
		{name: "huge and deaf", body: `trap '' PIPE; while :; do head -c 100000 /dev/zero 2>/dev/null; done`, err: `the answer is longer than 64 KiB`},
		{name: "exit status", body: `echo; printf 'no such \033device\nTraceback\n' >&2; exit 3`, err: `hook: exit status 3: "no such \x1bdevice"`},
		{name: "answer and exit status", body: `echo '{"user":"fleet"}'; exit 1`, err: `hook: exit status 1`},
		{name: "killed", body: `kill -9 $$`, err: `hook: signal: killed`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := askHook(t, newTestHook(t, config.Hook{Command: []string{script(t, tt.body)}}))
			switch {
			case tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("%v, want %q", err, tt.err)
			case !reflect.DeepEqual(got, tt.want):
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestACommandThatIsNotThere(t *testing.T) {
	_, err := askHook(t, newTestHook(t, config.Hook{Command: []string{"keys/none"}}))
	if err == nil || !strings.Contains(err.Error(), "none: fork/exec") {
		t.Error(err)
	}
}

func TestWhatACommandIsTold(t *testing.T) {
	t.Setenv("FLEET_PASSWORD", "hunter2")
	path := script(t, `cat > "$0.in"; env > "$0.env"; printf '%s|' "$@" > "$0.args"; echo '{}'`)
	if _, err := askHook(t, newTestHook(t, config.Hook{Command: []string{path, "a b", ""}})); err != nil {
		t.Fatal(err)
	}
	read := func(suffix string) string {
		text, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(read(".in")), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"remote": "192.0.2.7", "remote_port": 40000.0, "local": "2001:db8::1", "local_port": 4334.0,
		"transport": "ssh", "listener": "olts", "device_id": "a\x1b\ufffd\"b",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if env := read(".env"); strings.Contains(env, "hunter2") || !strings.Contains(env, "PATH=") {
		t.Errorf("environment:\n%s", env)
	}
	if args := read(".args"); args != "a b||" {
		t.Errorf("arguments %q", args)
	}
}

// deadline is a context whose deadline passes when a test says so.
type deadline struct {
	context.Context
	passed chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.passed }

func (d deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestADeadlineKillsWhatTheCommandHasStarted: also a process that ignores
// signals, and one that nobody waits for.
func TestADeadlineKillsWhatTheCommandHasStarted(t *testing.T) {
	path := script(t, `trap '' TERM INT HUP; sleep 1000 & echo $! > "$0.pid.tmp"; mv "$0.pid.tmp" "$0.pid"; wait`)
	h := newTestHook(t, config.Hook{Command: []string{path}, Timeout: 2 * time.Second})
	ctx := deadline{t.Context(), make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		_, err := h.choose(ctx, hookCall)
		ended <- err
	}()
	pid := awaitFile(t, path+".pid")
	close(ctx.passed)
	if err := <-ended; err == nil || err.Error() != "no answer within 2s (timeout)" {
		t.Error(err)
	}
	awaitGone(t, pid)
}

func TestNothingOutlivesItsCommand(t *testing.T) {
	path := script(t, `sleep 1000 >/dev/null 2>&1 & echo $! > "$0.pid"; echo '{}'`)
	if _, err := askHook(t, newTestHook(t, config.Hook{Command: []string{path}})); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, awaitFile(t, path+".pid"))
}

func TestACommandThatLeavesItsOutputOpen(t *testing.T) {
	path := script(t, `sleep 1000 & echo $! > "$0.pid"; echo '{}'`)
	_, err := askHook(t, newTestHook(t, config.Hook{Command: []string{path}}))
	if err == nil || !strings.Contains(err.Error(), "left a process behind that holds its output open") {
		t.Error(err)
	}
	awaitGone(t, awaitFile(t, path+".pid"))
}

func awaitFile(t *testing.T, path string) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(path); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	t.Fatalf("there is no %s", path)
	return ""
}

// awaitGone waits until a process has ended: where nobody collects orphans it
// stays as a zombie.
func awaitGone(t *testing.T, pid string) {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc")
	}
	var stat []byte
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var err error
		if stat, err = os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("the process still runs: %s", stat)
}
