package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

const (
	auditManagers = 1000
	auditDevices  = 10
	// auditAtOnce is how many managers are there at a time.
	auditAtOnce = 40
	// auditStrangers have a key that nobody knows.
	auditStrangers = 25
)

// auditLine is a line of the audit, as far as this test reads it.
type auditLine struct {
	Event           string
	Manager, Device string
	SessionID       uint32 `json:"session_id"`
	DeviceSessionID uint32 `json:"device_session_id"`
	Operation       string
	Result          string
	ErrorTag        string `json:"error_tag"`
	Count           int
}

// seen is what a device saw of its managers.
type seen struct {
	mu       sync.Mutex
	sessions map[uint32]bool
	messages map[uint32]int
}

// This test is not parallel: it keeps all processors busy.
func TestTheAuditOfAThousandManagersAddsUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	keys := make([]harness.Key, 4) // of managers by turns: a thousand take long to make
	for i := range keys {
		keys[i] = harness.NewKey(t)
	}
	devices := make([]*seen, auditDevices)
	deviceKeys := make([]harness.Key, auditDevices)
	blocks := []string{harness.SimulatorUser("fleet"), fmt.Sprintf("audit {\n  file = %q\n}\n", file)}
	for i := range auditDevices {
		deviceKeys[i] = harness.NewKey(t)
		mode := `sessions = "own"`
		if i%2 == 1 {
			mode = `sessions = "shared"`
		}
		blocks = append(blocks, harness.SessionEntry(deviceName(i), deviceKeys[i], "fleet", 0, mode))
	}
	for i := range auditManagers {
		access := `access = "read-write"`
		if readOnly(i) {
			access = `access = "read-only"`
		}
		blocks = append(blocks, managerEntry(auditManager(i), keys[i%len(keys)], access))
	}
	g := harness.StartGateway(t, harness.Config{Plain: true, Callhome: []string{`trust = "pinned"`}, Blocks: blocks})
	for i := range devices {
		devices[i] = newSeen(t, g, deviceKeys[i])
	}
	g.AwaitConnectedCount(t, auditDevices)
	for _, d := range devices {
		d.reset() // the control sessions are the gateway's own
	}

	manageAll(t, g, keys)
	harness.Eventually(t, harness.ReplyTimeout, "the sessions to end", func() bool { return g.Status(t).Managers == 0 })
	totals := g.Status(t).Totals
	g.Stop(t) // the audit is whole then

	lines := readAudit(t, file)
	count := make(map[string]int)
	began, requests := make(map[string]int), make(map[string]int)
	forwarded, refusedRequests, strangers := 0, 0, 0
	for _, l := range lines {
		count[l.Event]++
		switch l.Event {
		case "session-begin":
			began[l.Manager]++
		case "login-refused":
			strangers += max(1, l.Count)
		case "rpc":
			requests[l.Manager]++
			if l.Result == "refused" {
				refusedRequests++
			} else {
				forwarded++
			}
			mustBeRight(t, l)
		}
	}
	wanted, wantedRefused := 0, 0
	for i := range auditManagers {
		n := len(auditRequests(i))
		wanted += n
		if readOnly(i) {
			wantedRefused++
		}
		if name := auditManager(i); began[name] != 1 || requests[name] != n {
			t.Errorf("the audit has %d sessions and %d requests of %s, which had one and %d", began[name], requests[name], name, n)
		}
	}
	t.Logf("%d lines of audit: %v; %d requests forwarded, %d refused", len(lines), count, forwarded, refusedRequests)
	if count["session-begin"] != auditManagers || count["session-end"] != auditManagers || strangers != auditStrangers {
		t.Errorf("the audit has %d sessions that began and %d that ended of %d, and %d refused logins of %d",
			count["session-begin"], count["session-end"], auditManagers, strangers, auditStrangers)
	}
	if refusedRequests != wantedRefused || forwarded+refusedRequests != wanted {
		t.Errorf("the audit has %d requests, %d of them refused, and there were %d and %d", forwarded+refusedRequests, refusedRequests, wanted, wantedRefused)
	}
	if totals.Sessions != auditManagers || totals.Requests != uint64(wanted) || totals.RequestsRefused != uint64(wantedRefused) || totals.LoginsRefused != auditStrangers {
		t.Errorf("the status counts %+v", totals)
	}
	mustAgree(t, lines, devices)
}

// mustAgree compares the audit with what the devices saw.
func mustAgree(t *testing.T, lines []auditLine, devices []*seen) {
	t.Helper()
	for i, d := range devices {
		name, sessions, requests := deviceName(i), make(map[uint32]bool), 0
		for _, l := range lines {
			if l.Device != name {
				continue
			}
			switch {
			case l.Event == "session-begin":
				sessions[l.DeviceSessionID] = true
			case l.Event == "rpc" && l.Result != "refused" && (l.Operation != "close-session" || i%2 == 0):
				requests++ // of a shared session close-session is not the device's matter
			}
		}
		d.mu.Lock()
		received := 0
		for id, n := range d.messages {
			if received += n; !sessions[id] {
				t.Errorf("%s had %d messages on session %d, of which the audit knows nothing", name, n, id)
			}
		}
		if i%2 == 0 && len(sessions) != len(d.sessions) {
			t.Errorf("%s had %d sessions, and the audit has %d", name, len(d.sessions), len(sessions))
		}
		d.mu.Unlock()
		if received != requests {
			t.Errorf("%s had %d requests, and the audit has %d", name, received, requests)
		}
	}
}

// mustBeRight checks the result of a request, which its operation tells here.
func mustBeRight(t *testing.T, l auditLine) {
	t.Helper()
	want := map[string]string{"get-config": "data", "close-session": "ok", "no-such-thing": "error", "edit-config": "refused"}[l.Operation]
	if l.Result != want || want == "refused" && l.ErrorTag != "access-denied" || want == "error" && l.ErrorTag == "" {
		t.Errorf("the audit says of %s of %s: %s (%s), and it was %s", l.Operation, l.Manager, l.Result, l.ErrorTag, want)
	}
}

func deviceName(i int) string   { return fmt.Sprintf("edge-%d", i) }
func auditManager(i int) string { return fmt.Sprintf("m-%d", i) }
func readOnly(i int) bool       { return i%5 == 0 }

// auditRequests are what a manager asks for, one after the other.
func auditRequests(i int) []string {
	get := "<get-config><source><running/></source></get-config>"
	requests := []string{get}
	if readOnly(i) {
		requests = append(requests, "<edit-config><target><running/></target><config/></edit-config>")
	} else if i%3 == 0 {
		requests = append(requests, `<no-such-thing xmlns="urn:none"/>`)
	}
	for range i % 4 {
		requests = append(requests, get)
	}
	return append(requests, "<close-session/>")
}

// manageAll has all managers log in and ask for their things.
func manageAll(t *testing.T, g *harness.Gateway, keys []harness.Key) {
	t.Helper()
	stranger := harness.NewKey(t)
	var wg sync.WaitGroup
	places := make(chan struct{}, auditAtOnce)
	for i := range auditManagers {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := manage(g, i, keys[i%len(keys)]); err != nil {
				t.Errorf("%s: %v", auditManager(i), err)
			}
		})
	}
	for i := range auditStrangers {
		target := g.SharedTarget(deviceName(i % auditDevices))
		target.KeyPath = stranger.Path
		if _, err := harness.TryDial(target); err == nil {
			t.Error("a key that nobody knows has logged in")
		}
	}
	wg.Wait()
}

// manage is one manager's session from login to end.
func manage(g *harness.Gateway, i int, key harness.Key) error {
	target := g.SharedTarget(deviceName(i % auditDevices))
	target.Username, target.KeyPath = auditManager(i)+"@"+deviceName(i%auditDevices), key.Path
	client, err := harness.TryDial(target)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := harness.OpenSubsystem(client)
	if err != nil {
		return err
	}
	base := harness.Base11
	if i%7 == 0 {
		base = harness.Base10
	}
	if err := s.Open(harness.ReplyTimeout, base); err != nil {
		return err
	}
	for _, request := range auditRequests(i) {
		if _, err := s.RPC(harness.ReplyTimeout, request); err != nil {
			return err
		}
	}
	_, err = s.ExitStatus()
	return err
}

func newSeen(t *testing.T, g *harness.Gateway, key harness.Key) *seen {
	t.Helper()
	d := &seen{}
	d.reset()
	harness.NewSimulator(t, key, devicesim.Options{
		Connect: g.CallHome(), Reconnect: time.Second,
		OnSession: func(id uint32, up bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if up {
				d.sessions[id] = true
			}
		},
		OnMessage: func(id uint32, _ []byte) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.messages[id]++
		},
	})
	return d
}

func (d *seen) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions, d.messages = make(map[uint32]bool), make(map[uint32]int)
}

// readAudit reads a file each of whose lines must be JSON.
func readAudit(t *testing.T, path string) (lines []auditLine) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		var l auditLine
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Fatalf("a line of the audit is no JSON (%v): %s", err, scanner.Text())
		}
		lines = append(lines, l)
	}
	return lines
}
