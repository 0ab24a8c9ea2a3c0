package store

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/gateway"
)

// crashDir names the variable that makes this test program one that works on the
// state in that directory until it is killed.
const crashDir = "STORE_CRASH_DIR"

// A step is one thing that an operator or the gateway does: approve SEED NAME,
// rename NAME NAME, forget NAME, port PORT NAME, save NAME TEXT, unsave NAME.
type step []string

func (p step) do(s *Store) (err error) {
	switch p[0] {
	case "approve":
		_, _, err = s.Approve(Approval{Device: identity(p[1]).Fingerprint, Name: p[2]})
	case "rename":
		_, err = s.Rename(p[1], p[2])
	case "forget":
		err = s.Forget(p[1])
	case "port":
		var port uint16
		if _, err = fmt.Sscan(p[1], &port); err == nil {
			err = s.SetPort(gateway.PortAssignment{Device: p[2], Port: port})
		}
	case "save":
		err = s.Save(Saved{Kind: SavedUser, Name: p[1], Text: p[2]})
	case "unsave":
		err = s.Unsave(SavedUser, p[1])
	}
	return err
}

// steps are those of one life: one device is approved, gets a port, another name
// and a neighbour, and is now and then forgotten.
func steps(life, i int) []step {
	name, other := fmt.Sprintf("a-%d-%d", life, i), fmt.Sprintf("b-%d-%d", life, i)
	list := []step{
		{"approve", name, name},
		{"port", fmt.Sprint(20000 + life*100 + i%100), name},
		{"save", "user", name},
		{"rename", name, other},
		{"save", name, strings.Repeat("x", 500)},
		{"unsave", name},
	}
	if i%3 == 0 {
		list = append(list, step{"forget", other})
	}
	return list
}

// crashing does one step after the other, and tells before and after each.
func crashing(dir string, out io.Writer) error {
	s, err := Open(dir, func(error) {})
	if err != nil {
		return err
	}
	life := 0
	fmt.Sscan(os.Getenv("STORE_CRASH_LIFE"), &life)
	for i := 0; ; i++ {
		for _, p := range steps(life, i) {
			fmt.Fprintln(out, "try", strings.Join(p, " "))
			if err := p.do(s); err != nil {
				return fmt.Errorf("%v: %w", p, err)
			}
			s.NoteSeen(p[1], now()) // has the flusher run as well
			fmt.Fprintln(out, "done")
		}
	}
}

// remembered is what must be there after a crash.
type remembered struct {
	devices map[string]string // the name, by seed
	ports   map[string]string // the name, by port
	saved   map[string]string // the text, by name
}

func (m remembered) after(p step) remembered {
	m = remembered{maps.Clone(m.devices), maps.Clone(m.ports), maps.Clone(m.saved)}
	switch p[0] {
	case "approve":
		m.devices[p[1]] = p[2]
	case "port":
		m.ports[p[1]] = p[2]
	case "save":
		m.saved[p[1]] = p[2]
	case "unsave":
		delete(m.saved, p[1])
	case "rename":
		for _, names := range []map[string]string{m.devices, m.ports} {
			for k, name := range names {
				if name == p[1] {
					names[k] = p[2]
				}
			}
		}
	case "forget":
		maps.DeleteFunc(m.devices, func(_, name string) bool { return name == p[1] })
		for port, name := range m.ports {
			if name == p[1] {
				m.ports[port] += " forgotten"
			}
		}
	}
	return m
}

// missing returns how what the store has differs.
func (m remembered) missing(s *Store) (list []string) {
	got := remembered{map[string]string{}, map[string]string{}, map[string]string{}}
	for seed := range m.devices {
		if d, ok := s.Approved(identity(seed)); ok {
			got.devices[seed] = d.Name
		}
	}
	ports, _ := s.Ports()
	for _, a := range ports {
		got.ports[fmt.Sprint(a.Port)] = a.Device
		if a.Forgotten {
			got.ports[fmt.Sprint(a.Port)] += " forgotten"
		}
	}
	for _, b := range s.Saved() {
		got.saved[b.Name] = b.Text
	}
	if n := len(s.Devices()); n != len(m.devices) {
		list = append(list, fmt.Sprintf("%d devices, want %d", n, len(m.devices)))
	}
	for what, both := range map[string][2]map[string]string{"device": {got.devices, m.devices}, "port": {got.ports, m.ports}, "saved": {got.saved, m.saved}} {
		for _, key := range slices.Sorted(maps.Keys(both[1])) {
			if both[0][key] != both[1][key] {
				list = append(list, fmt.Sprintf("%s %s is %.20q, want %.20q", what, key, both[0][key], both[1][key]))
			}
		}
		if len(both[0]) != len(both[1]) {
			list = append(list, fmt.Sprintf("%d of %s, want %d", len(both[0]), what, len(both[1])))
		}
	}
	return list
}

// runAndKill starts a process that works on the state and kills it after that
// many lines. It returns the steps that were done, and the one in progress.
func runAndKill(t *testing.T, dir string, life, lines int) (done []step, trying step) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprint("STORE_CRASH_LIFE=", life))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for r := bufio.NewScanner(out); r.Scan(); lines-- {
		if words := strings.Fields(r.Text()); words[0] == "try" {
			trying = words[1:]
		} else {
			done, trying = append(done, trying), nil
		}
		if lines == 0 {
			time.Sleep(rand.N(500 * time.Microsecond)) // somewhere in the step, or in the next one
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		} // and reads on: more may have been said before it died
	}
	if err := cmd.Wait(); err == nil || said.Len() > 0 {
		t.Fatalf("it was not killed: %v %s", err, &said)
	}
	return done, trying
}

// A gateway that is killed at any moment has lost nothing of what it has said to
// be done, and what it was about to do is done or is not.
func TestKilledAtRandomItLosesNothing(t *testing.T) {
	const lives = 40
	dir := stateDir(t)
	model := remembered{map[string]string{}, map[string]string{}, map[string]string{}}
	total := 0
	for life := range lives {
		lines := rand.IntN(60)
		done, trying := runAndKill(t, dir, life, lines)
		for _, p := range done {
			model = model.after(p)
		}
		total += len(done)
		s := mustOpen(t, dir)
		wrong := model.missing(s)
		if trying != nil && len(wrong) > 0 {
			model = model.after(trying)
			wrong = model.missing(s)
		}
		if len(wrong) > 0 {
			t.Fatalf("life %d, killed after line %d, in %v: %q", life, lines, trying, wrong)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d steps in %d lives", total, lives)
}

func TestRememberedTellsWhatIsMissing(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	model := remembered{map[string]string{}, map[string]string{}, map[string]string{}}
	for i := range 4 {
		for _, p := range steps(0, i) {
			if err := p.do(s); err != nil {
				t.Fatal(err)
			}
			if model = model.after(p); len(model.missing(s)) > 0 {
				t.Fatalf("after %v: %q", p, model.missing(s))
			}
		}
	}
	if err := s.Pin(auth.Device{Name: "more", Identity: identity("more")}); err != nil {
		t.Fatal(err)
	}
	if len(model.missing(s)) == 0 {
		t.Error("a device that should not be there is not noticed")
	}
}
