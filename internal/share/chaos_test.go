package share

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"callhome-gateway/internal/netconf"
)

// strict is a device that knows which manager is behind each rpc, by an
// attribute, and reports what sharing should not have let through.
type strict struct {
	t          *testing.T
	random     *rand.Rand
	locks      map[string]string // datastore → who
	edited     string            // who has changed the candidate
	confirming string            // who has a confirmed commit under way
	subscribed bool
}

func by(attributes string) string {
	_, who, _ := strings.Cut(attributes, `by="`)
	who, _, _ = strings.Cut(who, `"`)
	return who
}

func (s *strict) answer(f *fakeDevice, r request) string {
	who := by(r.Attributes) // nobody for the gateway's own
	op := strings.TrimSpace(r.Op.Local + " " + r.Target)
	if who != "" {
		if why := s.wrong(who, r); why != "" {
			s.t.Errorf("%s of %s reached the device though %s", op, who, why)
		}
		if s.random.IntN(8) == 0 {
			if op == "edit-config candidate" {
				s.edited = who // half of it
			}
			return failure
		}
	}
	switch r.Op.Local {
	case "lock":
		if s.locks[r.Target] != "" {
			return failure
		}
		s.locks[r.Target] = who
	case "unlock":
		if s.locks[r.Target] == "" {
			return failure
		}
		delete(s.locks, r.Target)
	case "edit-config":
		if r.Target == candidate {
			s.edited = who
		}
	case "discard-changes":
		s.edited = ""
	case "commit":
		s.edited, s.confirming = "", ""
		if strings.Contains(r.doc, "<confirmed>") {
			s.confirming = who
		}
	case "cancel-commit":
		if s.confirming == "" {
			return failure
		}
		s.confirming = ""
	case "create-subscription":
		if s.subscribed {
			return failure
		}
		s.subscribed = true
	}
	if s.subscribed && s.random.IntN(4) == 0 {
		f.write(event("<e>" + strings.Repeat("<x/>", s.random.IntN(3)*10_000) + "</e>"))
	}
	return ok
}

// wrong returns why an rpc of who should not be here.
func (s *strict) wrong(who string, r request) string {
	locked := func(target string) bool { return s.locks[target] != "" && s.locks[target] != who }
	foreign := s.edited != "" && s.edited != who
	switch r.Op.Local {
	case "lock", "unlock":
		if locked(r.Target) {
			return s.locks[r.Target] + " has the lock"
		}
	case "edit-config":
		if locked(r.Target) || r.Target == candidate && foreign {
			return "another has the datastore"
		}
	case "discard-changes":
		if locked(candidate) || foreign {
			return "another has the candidate"
		}
	case "commit":
		if locked(running) || locked(candidate) || foreign || s.confirming != "" && s.confirming != who {
			return "another has the datastore, or a confirmed commit"
		}
	case "cancel-commit":
		if s.confirming != "" && s.confirming != who {
			return "it is another's commit"
		}
	case "reboot":
		for _, holder := range s.locks {
			if holder == who {
				return ""
			}
		}
		if (len(s.locks) > 0 || s.edited != "") && s.edited != who {
			return "somebody has a lock or has edited"
		}
	}
	return ""
}

var chaotic = []string{
	"lock running", "lock candidate", "lock startup", "unlock running", "unlock candidate", "unlock startup",
	"edit-config running", "edit-config candidate", "edit-config candidate", "discard-changes", "commit", "commit confirmed",
	"cancel-commit", "get", "get", "get-config", "reboot", "subscribe", "validate", "kill", "partial-lock",
}

// chaos is a manager that does anything.
type chaos struct {
	*fakeManager
	others func() uint32
	random *rand.Rand
	asked  chan string // message-ids
	wants  atomic.Bool // events
}

func (c *chaos) act(requests int) {
	defer close(c.asked)
	for i := range requests {
		what := chaotic[c.random.IntN(len(chaotic))]
		content := contentOf(what)
		if what == "kill" {
			content = fmt.Sprintf("<kill-session><session-id>%d</session-id></kill-session>", c.others())
		}
		if what == "subscribe" {
			c.wants.Store(true)
		}
		id := fmt.Sprintf("%d'%d", c.id, i)
		doc := fmt.Sprintf(`<rpc xmlns="%s" message-id="%s" by="%d">%s</rpc>`, netconf.NamespaceBase, id, c.id, content)
		c.asked <- id
		if c.Send(message(doc)) != nil {
			return
		}
	}
	if c.random.IntN(2) == 0 {
		c.asked <- "bye"
		_ = c.Send(message(rpc(0, "<close-session/>")))
	} else {
		_ = c.CloseSend()
	}
}

// listen checks that each reply is the manager's own, in order. It returns when
// the session is over, or after that many messages.
func (c *chaos) listen(limit int) {
	for range limit {
		m, err := c.Next()
		if err != nil {
			return
		}
		doc, err := io.ReadAll(m.Body)
		if err != nil {
			return // closed meanwhile
		}
		h, err := parseHead(string(doc))
		switch {
		case err != nil:
			c.t.Errorf("%q: %v", doc, err)
		case h.Kind == netconf.KindNotification:
			if !c.wants.Load() {
				c.t.Errorf("session %d got an event", c.id)
			}
		default:
			if want := <-c.asked; h.ID != want && (want != "bye" || h.ID != "0") {
				c.t.Errorf("session %d: %s instead of the reply to %s", c.id, doc, want)
			}
			if who := by(h.Attributes); who != "" && who != fmt.Sprint(c.id) {
				c.t.Errorf("session %d got %s", c.id, doc)
			}
		}
	}
}

// TestManagersInAnyOrder lets managers do anything at all at once, leave at any
// time and kill each other. Whatever happens, each gets the replies to what it
// asked, in order; nobody is in another's way; and nothing is left.
func TestManagersInAnyOrder(t *testing.T) {
	const workers, sessions, requests = 5, 12, 25
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			device := &strict{t: t, random: rand.New(rand.NewPCG(seed, 0)), locks: map[string]string{}}
			f, d := newFake(t, Options{}, all, device.answer)
			var mu sync.Mutex
			var ids []uint32
			var all sync.WaitGroup
			for worker := range workers {
				random := rand.New(rand.NewPCG(seed, uint64(worker+1)))
				others := func() uint32 {
					mu.Lock()
					defer mu.Unlock()
					return ids[random.IntN(len(ids))]
				}
				all.Go(func() {
					for range sessions {
						s, err := d.Open()
						if err != nil {
							t.Errorf("Open: %v; the link ended: %v", err, f.why())
							return
						}
						mu.Lock()
						ids = append(ids, s.id)
						mu.Unlock()
						c := &chaos{fakeManager: manage(t, s), others: others, random: random, asked: make(chan string, requests+1)}
						var acting sync.WaitGroup
						acting.Go(func() { c.act(requests) })
						limit := 3 * requests
						if worker%2 == 0 {
							limit = int(s.id) % requests
						}
						c.listen(limit)
						_ = s.Close()
						acting.Wait()
					}
				})
			}
			all.Wait()
			open(t, d).want("<get/>", "")
			synctest.Wait()
			if f.why() != nil || len(device.locks) > 0 || device.edited != "" || device.confirming != "" {
				t.Errorf("seed %d: the link ended: %v; left behind: %+v", seed, f.why(), *device)
			}
			if len(d.sessions) != 1 || len(d.queue) > 0 || len(d.leavers) > 0 || d.current != nil || len(d.state.locks) > 0 {
				t.Errorf("seed %d: left behind: %+v", seed, d)
			}
			if len(f.seen) < 100 {
				t.Errorf("seed %d: the device received %d rpcs only", seed, len(f.seen))
			}
		})
	}
}
