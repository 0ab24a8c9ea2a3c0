package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"github.com/hashicorp/go-hclog"
)

// lab is a Log and what it has logged.
type lab struct {
	*Log
	t    testing.TB
	path string
	said *lockedBuffer
	shut func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) has(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.String(), text)
}

// newLab returns a Log with those options that writes to a new file, or to d.
func newLab(t testing.TB, o Options, d *fakeDisk) *lab {
	t.Helper()
	l := &lab{t: t, said: &lockedBuffer{}, path: filepath.Join(t.TempDir(), "audit.log")}
	l.Log = New(hclog.New(&hclog.LoggerOptions{Output: l.said}))
	if d != nil {
		l.file.open = func(string) (disk, error) { return d, nil }
	}
	l.shut = sync.OnceValue(l.Close)
	t.Cleanup(func() { _ = l.shut() })
	o.File = l.path
	if err := l.Use(o); err != nil {
		t.Fatal(err)
	}
	return l
}

// lines closes the Log and returns the lines of its file.
func (l *lab) lines() []string {
	l.t.Helper()
	l.shut()
	return linesOf(l.t, l.path)
}

func linesOf(t testing.TB, path string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return split(string(content))
}

func split(content string) (lines []string) {
	for line := range strings.Lines(content) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

func eventsOf(t testing.TB, lines []string) (events []string) {
	t.Helper()
	for _, line := range lines {
		var h header
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		events = append(events, h.Event)
	}
	return events
}

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 5_000_000, time.UTC)
	source  = netip.MustParseAddrPort("192.0.2.1:4711")
	session = gateway.SessionRecord{
		Manager: "noc", Transport: callhome.SSH, Source: source, Device: "edge-1",
		SessionID: 2000000007, DeviceSessionID: 4, Shared: true, Since: noon,
	}
	edit = gateway.RequestRecord{
		SessionRecord: session, Began: noon, Took: 1234567 * time.Nanosecond, MessageID: `1"<` + "\xff\n",
		Namespace: "urn:ietf:params:xml:ns:netconf:base:1.0", Operation: "edit-config", Target: "running",
		Result: gateway.ResultError, ErrorTag: "in-use", RequestBytes: 100, ReplyBytes: 200,
		Body: []byte("<rpc><password>x</password><a>y</a></rpc>"),
	}
)

func TestLines(t *testing.T) {
	l := newLab(t, Options{Bodies: []auth.Operation{{Namespace: edit.Namespace, Name: edit.Operation}}, BodyLimit: 1000}, nil)
	l.LoginRefused(gateway.LoginRecord{Time: noon, Transport: callhome.TLS, Source: source, Manager: "x\x1b\u009b\x7f\u00e9", Device: "y", Reason: "z"})
	l.SessionBegins(session)
	l.Requested(edit)
	get := edit
	get.Operation, get.Result, get.Target, get.ErrorTag, get.Body = "get", gateway.ResultData, "", "", []byte("<rpc>of others</rpc>")
	l.Requested(get)
	l.SessionEnds(gateway.SessionEnd{SessionRecord: session, Time: noon.Add(time.Second), Reason: "r", MessagesIn: 1, MessagesOut: 2, BytesIn: 3, BytesOut: 4})
	const who = `"manager":"noc","transport":"ssh","source":"192.0.2.1:4711","device":"edge-1","session_id":2000000007,"device_session_id":4,"shared":true`
	const what = `"message_id":"1\"<\ufffd\n","operation":"%s","namespace":"urn:ietf:params:xml:ns:netconf:base:1.0"`
	const figures = `"took_ms":1.234,"request_bytes":100,"reply_bytes":200`
	want := []string{
		`{"time":"2026-03-01T12:00:00.005000Z","event":"login-refused","transport":"tls","source":"192.0.2.1:4711","manager":"x\u001b\u009b\u007fé","device":"y","reason":"z"}`,
		`{"time":"2026-03-01T12:00:00.005000Z","event":"session-begin",` + who + `}`,
		`{"time":"2026-03-01T12:00:00.005000Z","event":"rpc",` + who + "," + fmt.Sprintf(what, "edit-config") +
			`,"target":"running","result":"error","error_tag":"in-use",` + figures + `,"body":"<rpc><password>[redacted]</password><a>y</a></rpc>"}`,
		`{"time":"2026-03-01T12:00:00.005000Z","event":"rpc",` + who + "," + fmt.Sprintf(what, "get") + `,"result":"data",` + figures + `}`,
		`{"time":"2026-03-01T12:00:01.005000Z","event":"session-end",` + who +
			`,"reason":"r","took_ms":1000,"messages_in":1,"messages_out":2,"bytes_in":3,"bytes_out":4}`,
	}
	if got := l.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the file has\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if info, err := os.Stat(l.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestBodiesAreCutAndRedacted(t *testing.T) {
	l := newLab(t, Options{AllBodies: true, BodyLimit: 30, Redact: []string{"a"}}, nil)
	for _, body := range []string{"<rpc><a>y</a></rpc>", "<rpc><b>" + strings.Repeat("z", 100) + "</b></rpc>"} {
		r := edit
		r.Body = []byte(body)
		l.Requested(r)
	}
	lines := l.lines()
	if !strings.Contains(lines[0], `"body":"<rpc><a>[redacted]</a></rpc>"}`) || !strings.Contains(lines[1], `"body":"<rpc><b>","body_cut":true}`) {
		t.Errorf("the file has %q", lines)
	}
}

func TestNothingIsWrittenWithoutAFile(t *testing.T) {
	l := newLab(t, Options{AllBodies: true, BodyLimit: 1, Stop: true}, nil)
	if err := l.Use(Options{}); err != nil {
		t.Fatal(err)
	}
	l.SessionBegins(session)
	if l.Admit() != nil || l.Bodies("", "get") != 0 || len(l.queue) > 0 {
		t.Error("it is in use")
	}
	if lines := l.lines(); len(lines) > 0 {
		t.Errorf("the file has %q", lines)
	}
}

func TestWhatCannotBeUsedChangesNothing(t *testing.T) {
	l := newLab(t, Options{}, nil)
	for _, o := range []Options{
		{File: filepath.Join(l.path, "below a file")},
		{File: l.path, Redact: []string{"["}},
	} {
		if err := l.Use(o); err == nil {
			t.Errorf("%+v is used", o)
		}
	}
	l.SessionBegins(session)
	if got := l.lines(); len(got) != 1 {
		t.Errorf("the file has %q", got)
	}
}

func TestRotation(t *testing.T) {
	l := newLab(t, Options{}, nil)
	var want []string
	for i := range 3 {
		l.SessionBegins(session)
		moved := fmt.Sprintf("%s.%d", l.path, i)
		if err := os.Rename(l.path, moved); err != nil {
			t.Fatal(err)
		}
		l.SessionEnds(gateway.SessionEnd{SessionRecord: session}) // to the file that was moved
		if err := l.Use(Options{File: l.path}); err != nil {
			t.Fatal(err)
		}
		want = append(want, strings.Join(eventsOf(t, linesOf(t, moved)), " "))
	}
	l.SessionBegins(session)
	want = append(want, strings.Join(eventsOf(t, l.lines()), " "))
	if got := strings.Join(want, ", "); got != "session-begin session-end, session-begin session-end, session-begin session-end, session-begin" {
		t.Errorf("the files have %s", got)
	}
}

// After a loss of power the file may end in the middle of a line.
func TestNewLinesDoNotContinueATornOne(t *testing.T) {
	l := newLab(t, Options{}, nil)
	if err := os.WriteFile(l.path, []byte("{\"half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Use(Options{File: l.path}); err != nil {
		t.Fatal(err)
	}
	l.SessionBegins(session)
	l.SessionBegins(session)
	got := l.lines()
	if len(got) != 3 || got[0] != `{"half` || len(eventsOf(t, got[1:])) != 2 {
		t.Errorf("the file has %q", got)
	}
}

// fakeDisk has room for so many bytes.
type fakeDisk struct {
	mu      sync.Mutex
	content []byte
	room    int
	fixed   bool // it cannot be made shorter
	held    chan struct{}
	syncs   int
}

func (d *fakeDisk) Write(p []byte) (int, error) {
	if d.held != nil {
		<-d.held
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(p), d.room-len(d.content))
	d.content = append(d.content, p[:n]...)
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *fakeDisk) Truncate(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fixed {
		return syscall.EPERM
	}
	d.content = d.content[:size]
	return nil
}

func (d *fakeDisk) Stat() (os.FileInfo, error) { return diskInfo{size: int64(len(d.content))}, nil }
func (d *fakeDisk) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("it is not read")
}

func (d *fakeDisk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs++
	return nil
}
func (d *fakeDisk) Close() error { return nil }

func (d *fakeDisk) has(room int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
	return string(d.content)
}

type diskInfo struct {
	os.FileInfo
	size int64
}

func (i diskInfo) Size() int64     { return i.size }
func (diskInfo) Mode() os.FileMode { return 0o600 }

func TestFullDisk(t *testing.T) {
	for _, fixed := range []bool{false, true} {
		for _, stop := range []bool{false, true} {
			t.Run(fmt.Sprintf("fixed %t, stop %t", fixed, stop), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { fullDisk(t, fixed, stop) })
			})
		}
	}
}

func fullDisk(t *testing.T, fixed, stop bool) {
	d := &fakeDisk{room: 1000, fixed: fixed}
	l := newLab(t, Options{Stop: stop, AllBodies: true, BodyLimit: maxQueue}, d)
	if err := l.Admit(); err != nil {
		t.Fatal(err)
	}
	for range 10 { // of which two and a half have room
		l.Requested(edit)
	}
	synctest.Wait()
	if err := l.Admit(); (err != nil) != stop {
		t.Errorf("on a full disk, sessions may begin: %v", err)
	}
	for range 10 {
		l.Requested(edit)
		time.Sleep(time.Second)
	}
	big := edit
	big.Body = []byte("<rpc>" + strings.Repeat("<a/>", maxQueue/4))
	before := time.Now()
	l.Requested(big)
	l.Requested(big)
	if took := time.Since(before); took > 0 {
		t.Errorf("a manager has waited %s for a disk that is full", took)
	}
	if n := l.said.has("the audit cannot be written"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	d.has(100 << 20)
	time.Sleep(2 * time.Second)
	if err := l.Admit(); err != nil || l.said.has("the audit is written again") != 1 {
		t.Errorf("with room again: %v", err)
	}
	l.shut()
	lines := split(d.has(0))
	torn := 0
	for i, line := range lines {
		if !json.Valid([]byte(line)) {
			torn++
			lines[i] = `{"event":"torn"}`
		}
	}
	got := strings.Join(eventsOf(t, lines), " ")
	if n := strings.Count(got, "rpc"); n != 20 || !strings.HasSuffix(got, " lost") || !strings.HasSuffix(lines[len(lines)-1], `"count":2}`) {
		t.Errorf("%d requests are written, of 20: %s", n, got)
	}
	if fixed != (torn == 1) || torn > 1 {
		t.Errorf("%d lines are torn", torn)
	}
}

func TestDevFull(t *testing.T) {
	l := newLab(t, Options{Stop: true}, nil)
	if err := l.Use(Options{File: "/dev/full", Stop: true}); err != nil {
		t.Fatal(err)
	}
	l.SessionBegins(session)
	for l.Admit() == nil {
		time.Sleep(time.Millisecond)
	}
	if !errors.Is(l.Problem(), syscall.ENOSPC) {
		t.Error(l.Problem())
	}
	if err := l.Use(Options{File: l.path, Stop: true}); err != nil || l.Admit() != nil {
		t.Errorf("%v, %v", err, l.Admit())
	}
	if lines := l.lines(); len(lines) != 1 {
		t.Errorf("the file has %q", lines)
	}
}

// Managers wait for a disk that is slow, but only once for one that hangs: then the
// audit cannot be written.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{room: 100 << 20, held: make(chan struct{})}
		l := newLab(t, Options{Stop: true}, d)
		l.SessionBegins(session)
		synctest.Wait() // it is being written
		for range maxQueue / recordWeight {
			l.SessionBegins(session)
		}
		before := time.Now()
		go func() {
			time.Sleep(patience / 2)
			d.held <- struct{}{}
		}()
		l.SessionEnds(gateway.SessionEnd{SessionRecord: session})
		if took := time.Since(before); took != patience/2+linger || l.Admit() != nil {
			t.Errorf("it has waited %s, %v", took, l.Admit())
		}
		for range maxQueue/recordWeight - 1 {
			l.SessionBegins(session)
		}
		before = time.Now()
		l.SessionBegins(session)
		if took := time.Since(before); took < patience || took > 2*patience {
			t.Errorf("it has waited %s", took)
		}
		before = time.Now()
		l.SessionBegins(session)
		if took := time.Since(before); took != 0 || l.Admit() == nil || l.said.has("the disk does not answer") != 1 {
			t.Errorf("it has waited %s, %v", took, l.Admit())
		}
		close(d.held)
		synctest.Wait()
		if err := l.Admit(); err != nil {
			t.Error(err)
		}
		l.shut()
		events := strings.Join(eventsOf(t, split(d.has(0))), " ")
		if n := strings.Count(events, "session-begin"); n != 2*maxQueue/recordWeight || !strings.Contains(events, "session-end") ||
			strings.Count(events, "lost") != 1 || l.said.has("records of the audit are lost") != 1 || l.said.has("lost=2") != 1 {
			t.Errorf("%d have begun", n)
		}
	})
}

// A disk that hangs holds up neither a reload nor the end.
func TestHungDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{room: 1 << 20, held: make(chan struct{})}
		l := newLab(t, Options{Stop: true}, d)
		l.SessionBegins(session)
		time.Sleep(hungAfter + 1)
		if err := l.Admit(); err == nil {
			t.Error("a session may begin")
		}
		before := time.Now()
		if err := l.Use(Options{}); !errors.Is(err, errHung) {
			t.Errorf("other options: %v", err)
		}
		if err := l.shut(); !errors.Is(err, errHung) {
			t.Errorf("closing: %v", err)
		}
		if took := time.Since(before); took != 2*hungAfter {
			t.Errorf("it took %s", took)
		}
		close(d.held)
		<-l.stopped
	})
}

// Once it is known that the disk takes nothing, nobody waits for it.
func TestWaitingEndsWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{held: make(chan struct{})}
		l := newLab(t, Options{}, d)
		for range maxQueue/recordWeight + 1 {
			l.SessionBegins(session)
			synctest.Wait()
		}
		go func() {
			time.Sleep(patience / 2)
			close(d.held)
		}()
		before := time.Now()
		l.SessionEnds(gateway.SessionEnd{SessionRecord: session})
		if took := time.Since(before); took != patience/2 {
			t.Errorf("it has waited %s", took)
		}
	})
}

func TestWhatIsWrittenIsMadeSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{room: 1 << 20}
		l := newLab(t, Options{}, d)
		time.Sleep(10 * time.Second)
		l.SessionBegins(session)
		time.Sleep(10 * time.Second)
		l.SessionEnds(gateway.SessionEnd{})
		l.shut()
		if d.syncs != 2 {
			t.Errorf("%d times", d.syncs)
		}
	})
}

// Nothing is missing of a thousand sessions, and nothing is out of order.
func TestAThousandSessionsAddUp(t *testing.T) {
	const sessions, requests = 1000, 20
	l := newLab(t, Options{}, nil)
	var managers sync.WaitGroup
	for id := range uint32(sessions) {
		managers.Go(func() {
			s := session
			s.SessionID = id
			l.SessionBegins(s)
			for i := range requests {
				r := edit
				r.SessionRecord, r.MessageID = s, fmt.Sprint(i)
				l.Requested(r)
			}
			l.SessionEnds(gateway.SessionEnd{SessionRecord: s, MessagesIn: requests})
		})
	}
	managers.Wait()
	seen := make(map[uint32]string)
	for _, line := range l.lines() {
		var r rpcLine
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		seen[r.SessionID] += r.Event + r.MessageID + " "
	}
	want := "session-begin "
	for i := range requests {
		want += fmt.Sprintf("rpc%d ", i)
	}
	want += "session-end "
	for id, events := range seen {
		if events != want {
			t.Errorf("session %d: %s", id, events)
		}
	}
	if len(seen) != sessions {
		t.Errorf("there are %d", len(seen))
	}
}

// Who guesses does not fill the disk, and is counted to the last.
func TestRefusedLoginsAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{room: 100 << 20}
		l := newLab(t, Options{}, d)
		const all = 85_000
		for i := range all {
			manager := "noc"
			if i%2 == 0 {
				manager = fmt.Sprint(i) // one of each
			}
			l.LoginRefused(gateway.LoginRecord{Time: time.Now(), Source: source, Manager: manager, Reason: "wrong password"})
			time.Sleep(time.Minute / all)
		}
		time.Sleep(2 * time.Minute)
		const late = loginBurst + 10 // of which the last have no time for a line of their own
		for range late {
			l.LoginRefused(gateway.LoginRecord{Time: time.Now(), Source: source, Manager: "late"})
		}
		l.shut()
		total, lines := 0, split(d.has(0))
		for _, line := range lines {
			var r loginLine
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			total += max(1, r.Count)
		}
		if total != all+late || len(lines) > 2*loginBurst+200 || !strings.Contains(lines[len(lines)-1], `"late"`) {
			t.Errorf("%d in %d lines", total, len(lines))
		}
	})
}
