package gateway

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
)

func TestBudgetOfOneManager(t *testing.T) {
	all := newBudget(400, nil)
	budgets := newBudgets(&Options{SpoolBudget: 400, MaxMessage: 10, Managers: []auth.Manager{
		{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"},
	}}, all, nil)
	for _, name := range []string{"a", "b", "c", "d"} {
		if !budgets[name].take(100) || budgets[name].take(1) {
			t.Errorf("manager %s has not a quarter", name)
		}
	}
	if budgets["e"].take(1) {
		t.Error("more than all was given")
	}
	budgets["a"].give(50)
	if !budgets["e"].take(50) || budgets["a"].take(1) {
		t.Error("what one gave back is not there for another")
	}
	later := newBudgets(&Options{SpoolBudget: 400, MaxMessage: 10, Managers: []auth.Manager{{Name: "a"}, {Name: "f"}}}, all, budgets)
	if later["a"] != budgets["a"] || later["f"].take(1) {
		t.Error("other managers make more room")
	}
	large := newBudgets(&Options{SpoolBudget: 400, MaxMessage: 300, Managers: []auth.Manager{{Name: "a"}}}, newBudget(400, nil), nil)
	if !large["a"].take(300) {
		t.Error("a request that is allowed has no room")
	}
}

// drip gives a piece at a time, and waits before each.
type drip struct {
	io.Reader
	pause time.Duration
}

func (d drip) Read(p []byte) (int, error) {
	time.Sleep(d.pause)
	return d.Reader.Read(p)
}

func TestSlowRequestsEnd(t *testing.T) {
	const text = 1 << 10
	for _, c := range []struct {
		pause time.Duration
		want  error
	}{{0, nil}, {60 * time.Second / (text + 1), nil}, {time.Second, errSlow}} {
		synctest.Test(t, func(t *testing.T) {
			s := spool{budget: newBudget(1<<20, nil), limit: 1 << 20, memory: 1 << 20, grace: time.Minute}
			body := drip{iotest.OneByteReader(strings.NewReader(strings.Repeat("x", text))), c.pause}
			begin := time.Now()
			if err := s.fill(body, io.Discard); !errors.Is(err, c.want) {
				t.Errorf("a byte every %s: %v", c.pause, err)
			}
			if time.Since(begin) > 62*time.Second {
				t.Errorf("a byte every %s was taken for %s", c.pause, time.Since(begin))
			}
		})
	}
}

// What shares a session reads a request before it sends it.
func TestSpooledRequestsCanBeReadAgain(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 5<<10)
	for _, memory := range []int{0, 1, 5000, len(text), 1 << 20} {
		s := spool{budget: newBudget(1<<20, nil), limit: 1 << 20, memory: memory, grace: time.Minute, dir: t.TempDir()}
		if err := s.fill(strings.NewReader(text), io.Discard); err != nil {
			t.Fatal(err)
		}
		body := s.body()
		if err := iotest.TestReader(body, []byte(text)); err != nil {
			t.Errorf("with %d bytes in memory: %v", memory, err)
		}
		for range 2 {
			if _, err := body.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(body); string(got) != text || err != nil {
				t.Errorf("with %d bytes in memory: %d bytes, %v", memory, len(got), err)
			}
		}
		s.reset()
	}
}
