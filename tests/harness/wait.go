package harness

import (
	"testing"
	"time"
)

const pollInterval = 20 * time.Millisecond

// Eventually polls until cond holds, and fails the test when it does not
// within the time; what completes the sentence "still waiting for …".
func Eventually(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	if !Within(within, cond) {
		t.Fatalf("after %v still waiting for %s", within, what)
	}
}

// Within polls until cond holds and reports whether it did in time. It asks at
// least once.
func Within(within time.Duration, cond func() bool) bool {
	deadline := time.Now().Add(within)
	for {
		if cond() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pollInterval)
	}
}

// Throughout polls for the whole time and fails the test as soon as cond does
// not hold: for what must not happen, where there is no event to wait for.
func Throughout(t testing.TB, period time.Duration, what string, cond func() bool) {
	t.Helper()
	begin := time.Now()
	if Within(period, func() bool { return !cond() }) {
		t.Fatalf("%s did not hold any more after %v", what, time.Since(begin).Round(time.Millisecond))
	}
}
