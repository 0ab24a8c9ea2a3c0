package harness

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Output collects what a program writes. Its methods may be called
// concurrently.
type Output struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	return len(p), nil
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// Contains reports whether text was written so far.
func (o *Output) Contains(text string) bool { return strings.Contains(o.String(), text) }

// Lines returns the lines that contain text.
func (o *Output) Lines(text string) []string {
	var found []string
	for line := range strings.Lines(o.String()) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimRight(line, "\n"))
		}
	}
	return found
}

// Await waits until text was written.
func (o *Output) Await(t testing.TB, within time.Duration, text string) {
	t.Helper()
	Eventually(t, within, fmt.Sprintf("the line %q", text), func() bool { return o.Contains(text) })
}

const tailBytes = 16 << 10

// tail returns the end of the output, for the report of a failed test.
func (o *Output) tail() string {
	text := o.String()
	if len(text) > tailBytes {
		text = "…" + text[len(text)-tailBytes:]
	}
	return text
}
