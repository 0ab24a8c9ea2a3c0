package tests

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// viewer is a manager that may only read.
func viewer(t *testing.T) harness.Config {
	return harness.Config{Blocks: []string{harness.ManagerEntry(t, "viewer", `access = "read-only"`)}}
}

func TestAReadOnlyNcclientManager(t *testing.T) {
	t.Parallel()
	harness.Need(t, "ncclient")
	kinds := append([]deviceKind{deviceKinds()[0]}, tlsKinds()...)
	for _, device := range kinds {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), viewer(t))
			other := l.connect(t, harness.Base11)
			for _, base := range []string{harness.Base10, harness.Base11} {
				l.mayOnlyRead(t, harness.ConnectNcclientWith(t, l.TargetAs("viewer", devicePort), base), other)
			}
			if reply, err := other.GetConfig(l.device.Target); err != nil || strings.Contains(reply, "forbidden") {
				t.Errorf("the configuration is %.500s, %v", reply, err)
			}
			l.mustBeTheSameLink(t)
		})
	}
}

// mayOnlyRead wants reads answered by the device, before and behind what is
// denied.
func (l *lab) mayOnlyRead(t *testing.T, m *harness.Ncclient, other *harness.Subsystem) {
	t.Helper()
	in := fmt.Sprintf(` xmlns="%s"`, harness.BaseNamespace)
	for _, command := range [][]string{
		{"edit-config", l.device.Target, l.device.Edit("forbidden")},
		{"copy-config", "running", "startup"},
		{"kill-session", fmt.Sprint(other.ID)},
		{"lock", "running"},
		{"rpc", "<commit" + in + "/>"},
		{"rpc", "<discard-changes" + in + "/>"},
		{"rpc", "<!-- a comment --><x:commit xmlns:x=\"" + harness.BaseNamespace + "\"><?pi?></x:commit>"},
		{"rpc", `<reboot xmlns="urn:example:box"/>`},
		{"rpc", `<edit-config xmlns="urn:example:box"/>`},
		{"rpc", `<get-config xmlns="urn:example:box"/>`},
	} {
		if reply, err := m.GetConfig("running"); err != nil || !strings.Contains(reply, "data") {
			t.Fatalf("get-config: %.300s, %v", reply, err)
		}
		if reply, err := m.Do(command...); err == nil || !strings.Contains(err.Error(), "access-denied") {
			t.Errorf("%q: %.300s, %v", command, reply, err)
		}
	}
	if _, err := m.GetConfig("running"); err != nil {
		t.Error(err)
	}
	if err := m.CloseSession(); err != nil {
		t.Error(err)
	}
}

// received is what a simulator has been sent.
type received struct {
	mu        sync.Mutex
	documents []string
}

func (r *received) add(_ uint32, document []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.documents = append(r.documents, string(document))
}

func (r *received) with(text string) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, document := range r.documents {
		if strings.Contains(document, text) {
			count++
		}
	}
	return count
}

// Wherever a request is cut on its way, what a manager may not ask for never
// arrives, on a session of its own and on a shared one.
func TestNothingForbiddenArrivesHoweverItIsCut(t *testing.T) {
	t.Parallel()
	for _, sessions := range []string{"own", "shared"} {
		t.Run(sessions, func(t *testing.T) {
			t.Parallel()
			var arrived received
			g, _ := simulatorLab(t, viewer(t), devicesim.Options{OnMessage: arrived.add}, fmt.Sprintf("sessions = %q", sessions))
			passed := 0
			for _, base := range []string{harness.Base10, harness.Base11} {
				s := harness.Connect(t, g.TargetAs("viewer", devicePort), base)
				for i, operation := range []string{
					`<!--<get/>--><x:commit xmlns:x="` + harness.BaseNamespace + `"/>`, `<?pi <get/>?><edit-config xmlns=""/>`,
				} {
					passed += sendCut(t, s, harness.RPC(fmt.Sprint(i), operation), fmt.Sprintf(`message-id="%d"`, i))
				}
			}
			if n := arrived.with("commit") + arrived.with("edit-config"); n > 0 {
				t.Errorf("%d requests arrived that may not", n)
			}
			if n := arrived.with("harmless"); n != passed {
				t.Errorf("%d of %d harmless ones arrived", n, passed)
			}
		})
	}
}

// sendCut sends a request cut at each place in turn, then byte by byte, each
// time with a harmless one behind it, whose number it returns.
func sendCut(t *testing.T, s *harness.Subsystem, request, id string) (harmless int) {
	t.Helper()
	frame := func(parts ...string) (framed []string) {
		if !s.Chunked {
			return append(parts, harness.EndOfMessage)
		}
		for _, part := range parts {
			framed = append(framed, fmt.Sprintf("\n#%d\n", len(part)), part)
		}
		return append(framed, "\n##\n")
	}
	get := s.Frame(harness.RPC("8", "<get-config><source><running/></source><!-- harmless --></get-config>"))
	ways := [][]string{frame(strings.Split(request, "")...), strings.Split(s.Frame(request), "")}
	for cut := 1; cut < len(request); cut++ {
		ways = append(ways, frame(request[:cut], request[cut:]))
	}
	for _, parts := range ways {
		for _, part := range append(parts, get) {
			if err := s.SendRaw(part); err != nil {
				t.Fatal(err)
			}
		}
		if reply, err := s.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, "access-denied") || !strings.Contains(reply, id) {
			t.Fatalf("%d parts: %v: %.500s", len(parts), err, reply)
		}
		if reply, err := s.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, "<data") {
			t.Fatalf("the harmless one: %v: %.500s", err, reply)
		}
	}
	return len(ways)
}

// netconfd carries out what stands in an XInclude element in its place.
func TestXIncludeHidesNoOperation(t *testing.T) {
	t.Parallel()
	l := newLab(t, deviceKinds()[0].make(t), viewer(t))
	hidden := func(operation string) string {
		return `<xi:include xmlns:xi="` + xInclude + `" href="file:///nonexistent"><xi:fallback>` + operation + "</xi:fallback></xi:include>"
	}
	kill := fmt.Sprintf(`<kill-session xmlns="%s"><session-id>%d</session-id></kill-session>`, harness.BaseNamespace, l.link.SessionID)
	s := l.connect(t, harness.Base11)
	reader := harness.ConnectTo(t, l.device, l.TargetAs("viewer", devicePort), harness.Base11)
	for _, operation := range []string{
		hidden(kill), "<get><filter>" + hidden("<x/>") + "</filter></get>", "<get-config><source>" + hidden("<candidate/>") + "</source></get-config>",
	} {
		if got := answer(t, s.Session, operation); got != "operation-failed" {
			t.Errorf("%s: %s", operation, got)
		}
		if got := answer(t, reader.Session, operation); got != "operation-failed" && got != "access-denied" {
			t.Errorf("%s of a reader: %s", operation, got)
		}
	}
	l.mustBeTheSameLink(t)
}

// What the gateway does on a shared session to clean up is no request of the
// manager that has left.
func TestCleaningUpAfterAManagerIsNotItsRequest(t *testing.T) {
	t.Parallel()
	device := tlsKinds()[1].make(t)
	l := newLab(t, device, harness.Config{Blocks: []string{harness.ManagerEntry(t, "locker", `operations = ["get-config", "lock"]`)}})
	locker := harness.Connect(t, l.TargetAs("locker", devicePort), harness.Base11)
	for _, step := range []struct{ operation, want string }{
		{lockOf("running"), "ok"}, {unlockOf("running"), "access-denied"}, {l.edit("running", "x"), "access-denied"}, {"<get/>", "access-denied"},
		{read("running"), "data"}, {"<close-session/>", "ok"},
	} {
		if got := answer(t, locker.Session, step.operation); got != step.want {
			t.Errorf("%s: %s, want %s", step.operation, got, step.want)
		}
	}
	if got := answer(t, l.connect(t, harness.Base11).Session, lockOf("running")); got != "ok" {
		t.Errorf("the lock is still there: %s", got)
	}
	l.mustBeTheSameLink(t)
}
