package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/ssh"
)

// memory is a Recorder that forgets nothing.
type memory struct {
	bodies int
	closed error // why no session may begin

	mu       sync.Mutex // guards the following
	logins   []LoginRecord
	begun    []SessionRecord
	ended    []SessionEnd
	requests []RequestRecord
}

func (m *memory) Admit() error { return m.closed }

func (m *memory) Bodies(_, operation string) int {
	if operation == "get" {
		return 0
	}
	return m.bodies
}

func (m *memory) LoginRefused(r LoginRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.logins = append(m.logins, r)
}

func (m *memory) SessionBegins(r SessionRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun = append(m.begun, r)
}

func (m *memory) SessionEnds(r SessionEnd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = append(m.ended, r)
}

func (m *memory) Requested(r RequestRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, r)
}

// told returns the requests, each as "message-id operation target result tag".
func (m *memory) told() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.requests {
		all = append(all, strings.Join(strings.Fields(
			fmt.Sprintf("%s %s %s %s %s", r.MessageID, r.Operation, r.Target, r.Result, r.ErrorTag)), " "))
	}
	return all
}

// wants waits for as many records, and compares them.
func (m *memory) wants(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d records", len(want)), func() bool { return len(m.told()) >= len(want) })
	if got := strings.Join(m.told(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("recorded:\n%s\nand not:\n%s", got, strings.Join(want, "\n"))
	}
}

// end returns the end of the only session.
func (m *memory) end(t *testing.T) SessionEnd {
	t.Helper()
	eventually(t, "end of the session", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.ended) > 0
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended[0]
}

const editRunning = `<edit-config><target><running/></target><config/></edit-config>`

func replyError(id int, tag, severity string) string {
	return reply(id, "<rpc-error><error-type>rpc</error-type><error-tag>"+tag+"</error-tag><error-severity>"+severity+"</error-severity></rpc-error>")
}

// What the gateway answers itself stands in its place among what the device
// answers, whatever comes in between, in both framings.
func TestRequestsAreRecordedWithTheirResults(t *testing.T) {
	for _, device := range []netconf.Framing{simple, chunked} {
		for _, manager := range []netconf.Framing{simple, chunked} {
			t.Run(fmt.Sprintf("%v manager, %v device", manager, device), func(t *testing.T) {
				m := &memory{bodies: 1 << 10}
				r := newRig(t, Options{Recorder: m}, device).open(manager)
				edit := rpc(2, editRunning)
				r.send(r.manager, rpc(1, "<get/>"), edit, rpc(3, "<kill-session><session-id>1</session-id></kill-session>"),
					rpc(4, "<commit/>"), rpc(5, `<reset xmlns="urn:x"/>`), `<rpc>`)
				answers := []string{reply(1, "<data><ok/></data>"), replyError(2, "in-use", "error"), replyError(4, "data-missing", "warning"), reply(5, "<ok/>")}
				r.async(func() {
					for _, answer := range answers {
						if _, err := tryRead(r.device); err != nil {
							return
						}
						_ = r.device.WriteDocument([]byte(notification))
						_ = r.device.WriteDocument([]byte(answer))
					}
				})
				for range 2*len(answers) + 2 {
					read(t, r.manager)
				}
				r.end()
				m.wants(t, "1 get data", "2 edit-config running error in-use", "3 kill-session refused access-denied",
					"4 commit ok data-missing", "5 reset ok", "refused malformed-message")
				got := m.requests[1]
				if got.RequestBytes != int64(len(edit)) || string(got.Body) != edit || got.ReplyBytes != int64(len(answers[1])) ||
					got.Namespace != netconf.NamespaceBase || got.Took <= 0 || time.Since(got.Began) > time.Minute || got.SessionID != 7 {
					t.Errorf("the record is %+v", got)
				}
				if m.requests[0].Body != nil || m.requests[4].Namespace != "urn:x" {
					t.Errorf("the records are %+v", m.requests)
				}
			})
		}
	}
}

const notification = `<notification xmlns="` + netconf.NamespaceNotification + `"><eventTime>2026-01-01T00:00:00Z</eventTime></notification>`

func TestBodiesAreRecordedAsFarAsAskedFor(t *testing.T) {
	m := &memory{bodies: 10}
	r := newRig(t, Options{Recorder: m, SpoolMemory: 4}, chunked).open(chunked)
	r.send(r.manager, rpc(1, "<commit/>"))
	read(t, r.device)
	r.send(r.device, reply(1, "<ok/>"))
	read(t, r.manager)
	m.wants(t, "1 commit ok")
	if got := string(m.requests[0].Body); got != rpc(1, "")[:10] {
		t.Errorf("the body is %q", got)
	}
}

func TestNamesFromOutsideAreCut(t *testing.T) {
	m := &memory{}
	r := newRig(t, Options{Recorder: m}, chunked).open(chunked)
	id, name, space := strings.Repeat("é", 300), strings.Repeat("o", 300), "urn:"+strings.Repeat("n", 300)
	r.send(r.manager, fmt.Sprintf(`<rpc xmlns="%s" message-id="%s"><%s xmlns="%s"/></rpc>`, netconf.NamespaceBase, id, name, space))
	read(t, r.device)
	r.send(r.device, fmt.Sprintf(`<rpc-reply xmlns="%s" message-id="%s"><ok/></rpc-reply>`, netconf.NamespaceBase, id))
	read(t, r.manager)
	m.wants(t, id[:254]+" "+name[:255]+" ok")
	if got := m.requests[0].Namespace; got != space[:255] {
		t.Errorf("the namespace is %q", got)
	}
}

func TestRequestsWithoutAReplyAreRecorded(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"the manager leaves":    func(r *rig) { r.cancel(endedByManager) },
		"the device leaves":     func(r *rig) { r.device.Close() },
		"the connection breaks": func(r *rig) { r.link.breaks(errReset); r.device.Close() },
		"half a reply": func(r *rig) {
			r.async(func() {
				_ = r.device.Write(&netconf.Message{Size: -1, Body: io.MultiReader(strings.NewReader(strings.TrimSuffix(reply(2, "<data>"), "</rpc-reply>")), broken{})})
			})
			part := make([]byte, 10)
			_, _ = io.ReadFull(r.wire, part)
			r.wire.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{}
			r := newRig(t, Options{Recorder: m}, chunked).open(chunked)
			r.send(r.manager, rpc(1, "<get/>"), rpc(2, "<get/>"), rpc(3, editRunning))
			for range 3 {
				read(t, r.device)
			}
			r.send(r.device, reply(1, "<data/>"))
			read(t, r.manager)
			end(r)
			r.end()
			m.wants(t, "1 get data", "2 get none", "3 edit-config running none")
			if e := m.end(t); e.Reason == "" || e.SessionID != 7 {
				t.Errorf("the end is %+v", e)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errReset }

// A device that leaves out a reply, or answers without an id, must not have one
// request's result taken for another's.
func TestRepliesAreMatchedByID(t *testing.T) {
	m := &memory{}
	r := newRig(t, Options{Recorder: m}, chunked).open(chunked)
	r.send(r.manager, rpc(1, "<get/>"), rpc(2, editRunning), rpc(3, "<commit/>"))
	for range 3 {
		read(t, r.device)
	}
	r.send(r.device, reply(2, "<ok/>"), strings.Replace(replyError(0, "missing-attribute", "error"), ` message-id="0"`, "", 1), reply(99, "<ok/>"), reply(3, "<ok/>"))
	for range 4 {
		read(t, r.manager)
	}
	m.wants(t, "2 edit-config running ok", "1 get error missing-attribute", "3 commit ok")
}

// The records of all sessions of a manager together are bounded as well, but for one
// of each.
func TestPendingRecordsAreOfTheManagersBudget(t *testing.T) {
	const left = 10 * recordWeight
	b := newBudget(left, nil)
	one, other := record(&memory{}, SessionRecord{}, b), record(&memory{}, SessionRecord{}, b)
	ask := func(c *recording) (room <-chan struct{}) {
		return c.add(c.request(netconf.Head{ID: strings.Repeat("x", recordWeight/4), HasID: true}, 0, nil), false)
	}
	n := 0
	for ; ask(one) == nil; n++ {
	}
	if n != 1+left/(recordWeight+recordWeight/4) {
		t.Errorf("%d are pending", n)
	}
	if ask(other) != nil || ask(other) == nil {
		t.Error("another session has no room, or more than for one")
	}
	one.replied(&netconf.Message{}, &hearing{})
	one.replied(&netconf.Message{}, &hearing{})
	if ask(other) != nil {
		t.Error("a reply has made no room")
	}
	one.ends(endedByManager, SessionStatus{})
	other.ends(endedByManager, SessionStatus{})
	if got := b.left.Load(); got != left {
		t.Errorf("%d bytes of %d are left", got, left)
	}
}

// What a session may ask for before it reads replies is bounded, for the records
// of it wait in memory.
func TestManagerWaitsForRepliesBeforeItsRecordsFillTheMemory(t *testing.T) {
	c := record(&memory{}, SessionRecord{}, newBudget(1<<30, nil))
	ask := func() *RequestRecord { return c.request(netconf.Head{}, 0, nil) }
	var room <-chan struct{}
	n := 0
	for ; room == nil; n++ {
		if n > maxPending {
			t.Fatal("there is no bound")
		}
		room = c.add(ask(), false)
	}
	select {
	case <-room:
		t.Fatal("there is room")
	default:
	}
	c.replied(&netconf.Message{}, &hearing{})
	<-room
	if c.add(ask(), false) != nil {
		t.Error("a reply has made no room")
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	c.sends(gone, ask()) // does not wait
	if want := maxPending/recordWeight + 1; len(c.pending) != want || n != want {
		t.Errorf("%d are pending, after %d", len(c.pending), n)
	}
	c.ends(endedByManager, SessionStatus{})
	c.replied(&netconf.Message{}, &hearing{}) // too late
	if got := c.to.(*memory).requests; len(got) != maxPending/recordWeight+2 {
		t.Errorf("%d are recorded", len(got))
	}
}

func TestSessionsAreRecorded(t *testing.T) {
	m := &memory{}
	opts, p := tlsOptions(t)
	opts.Recorder = m
	h := serve(t, opts)
	sharedLink(t, h)
	holder := hello(t, dial(t, opts.Port, "noc@edge-1"))
	write(t, holder.conn, rpc(1, "<lock><target><running/></target></lock>"))
	read(t, holder.conn)
	other := dialTLS(t, opts.TLSPort, "edge-1", p.admin).open()
	write(t, other.conn, rpc(2, "<lock><target><running/></target></lock>"))
	read(t, other.conn)
	write(t, other.conn, rpc(3, "<close-session/>"))
	read(t, other.conn)
	other.ends()
	m.wants(t, "1 lock running ok", "2 lock running refused lock-denied", "3 close-session ok")
	e := m.end(t)
	if e.Manager != "admin" || e.Transport != callhome.TLS || e.Device != "edge-1" || !e.Shared || e.DeviceSessionID != 1 ||
		e.SessionID < 1000 || e.Source.Port() == 0 || e.Reason != "the manager ended the session" ||
		e.MessagesIn != 2 || e.MessagesOut != 2 || e.BytesIn == 0 || e.BytesOut == 0 || e.Time.Before(e.Since) {
		t.Errorf("the end is %+v", e)
	}
	h.stop()
	if len(m.begun) != 2 || len(m.ended) != 2 || m.begun[1] != e.SessionRecord || m.begun[0].Transport != callhome.SSH {
		t.Errorf("the sessions are %+v and %+v", m.begun, m.ended)
	}
}

func TestAnOwnSessionHasTheDevicesID(t *testing.T) {
	m := &memory{}
	opts := nocOptions(t)
	opts.Recorder = m
	h := serve(t, opts).with(t, "edge-1")
	hello(t, dial(t, opts.Port, "noc@edge-1")).get()
	h.stop()
	if r := m.requests[0]; r.Shared || r.SessionID != 2 || r.DeviceSessionID != 2 {
		t.Errorf("the record is %+v", r)
	}
	if e := m.end(t); e.Reason != "the gateway is stopping" {
		t.Errorf("the end is %+v", e)
	}
}

func TestNoSessionBeginsWithoutTheRecorder(t *testing.T) {
	m := &memory{closed: errors.New("the audit file\ncannot be written")}
	opts := nocOptions(t)
	opts.Recorder = m
	serve(t, opts).with(t, "edge-1")
	c := openChannel(t, dial(t, opts.Port, "noc@edge-1"))
	c.ask("subsystem", "netconf")
	if status, said := c.exit(); status != 1 || !strings.Contains(said, "no session may begin at present: the audit file cannot be written") {
		t.Errorf("status %d, %q", status, said)
	}
	if len(m.begun) != 0 {
		t.Errorf("%+v has begun", m.begun)
	}
}

func TestRefusedLoginsAreRecorded(t *testing.T) {
	m := &memory{}
	opts, p := tlsOptions(t)
	opts.Recorder = m
	h := serve(t, opts).with(t, "edge-1")
	for range 3 {
		if _, err := ssh.Dial("tcp", address(opts.Port), password("noc@edge-1", "wrong")); !authFailed(err) {
			t.Fatal(err)
		}
	}
	c, err := tryTLS(t, opts.TLSPort, &tls.Config{Certificates: []tls.Certificate{p.stranger}, ServerName: "edge-1.gw.example.net"})
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if !refusedByAlert(err) {
		t.Fatal(err)
	}
	h.stop()
	if len(m.logins) != 4 {
		t.Fatalf("the logins are %+v", m.logins)
	}
	wants := map[callhome.Transport]LoginRecord{
		callhome.SSH: {Transport: callhome.SSH, Manager: "noc", Device: "edge-1", Reason: auth.ErrWrongPassword.Error()},
		callhome.TLS: {Transport: callhome.TLS, Manager: "stranger", Device: "edge-1.gw.example.net", Reason: auth.ErrUnknownManager.Error()},
	}
	for _, got := range m.logins {
		want := wants[got.Transport]
		if got.Time.IsZero() || got.Source.Port() == 0 {
			t.Errorf("the login is %+v", got)
		}
		want.Time, want.Source = got.Time, got.Source
		if got != want {
			t.Errorf("the login is %+v, not %+v", got, want)
		}
	}
}
