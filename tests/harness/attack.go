package harness

import (
	"fmt"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Attack is what strangers do to a port of the gateway: as many connections as
// it says, made anew as often as the gateway closes them.
type Attack struct {
	// Target is HOST:PORT.
	Target string
	// Kinds are those of tests/peers/strangers, which the connections take in turn.
	Kinds []string
	// Connections is how many there are at a time.
	Connections int
	// Source is the address that all come from; empty for different ones.
	Source string
	// Addresses is how many different ones, Connections at least.
	Addresses int
}

// Strangers are attackers, in a process of their own. Real ones have CPUs of
// their own: it gets what the gateway and the devices leave of these.
type Strangers struct {
	*Process
	attack Attack
}

// StartAttack starts an attack and returns at once. It ends with the test.
func StartAttack(t testing.TB, a Attack) *Strangers {
	t.Helper()
	args := []string{"-n", "19", strangersCommand.path(t), "-connections", strconv.Itoa(a.Connections), "-addresses", strconv.Itoa(a.Addresses), "-source", a.Source, a.Target}
	return &Strangers{Start(t, "strangers", exec.Command("nice", append(args, a.Kinds...)...)), a}
}

// AwaitAll waits until each of the connections has been there.
func (s *Strangers) AwaitAll(t testing.TB, within time.Duration) {
	t.Helper()
	Eventually(t, within, fmt.Sprintf("all %d connections", s.attack.Connections), func() bool {
		if !s.Running() {
			t.Fatalf("the strangers are gone:\n%s", s.Output.tail())
		}
		return s.Tally().Reached >= s.attack.Connections
	})
}

// Tally is what the strangers have seen so far.
type Tally struct {
	// Reached is how many connections have been there once, Open how many are,
	// Made how many there have been in all, and Failed how many could not be made.
	Reached, Open, Made, Failed int
}

// Tally returns the last that they told, which they do ten times a second.
func (s *Strangers) Tally() (c Tally) {
	lines := s.Output.Lines("tally ")
	if len(lines) > 0 {
		_, _ = fmt.Sscanf(lines[len(lines)-1], "tally %d %d %d %d", &c.Reached, &c.Open, &c.Made, &c.Failed)
	}
	return c
}
