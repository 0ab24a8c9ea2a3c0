package auth

import (
	"strings"
	"testing"
	"time"
)

func TestMatchGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "edge-1", false},
		{"edge-1", "edge-1", true},
		{"edge-1", "edge-10", false},
		{"EDGE-1", "edge-1", true},
		{"edge-1", "Edge-1", true},
		{"*", "", true},
		{"*", "edge-1", true},
		{"edge-*", "edge-", true},
		{"edge-*", "edge-1", true},
		{"edge-*", "hedge-1", false},
		{"edge-?", "edge-1", true},
		{"edge-?", "edge-12", false},
		{"edge-?", "edge-", false},
		{"*-1", "edge-1", true},
		{"*-1", "edge-1-2", false},
		{"*-1*", "edge-1-2", true},
		{"e*e*1", "edge-1", true},
		{"**?", "a", true},
		{"**?", "", false},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXbXbX", false},
		// Only "*" and "?" are special.
		{"edge-[12]", "edge-1", false},
		{"edge.1", "edge-1", false},
	} {
		if got := matchGlob(c.pattern, c.name); got != c.want {
			t.Errorf("matchGlob(%q, %q) = %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}

// A pattern that makes a backtracking matcher exponential is quick here.
func TestMatchGlobIsNotExponential(t *testing.T) {
	begin := time.Now()
	if matchGlob(strings.Repeat("a*", 40)+"b", strings.Repeat("a", 63)) {
		t.Error("matched")
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %v", took)
	}
}
