package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// TestEachSignalAsksForItsOwn: the process that is signalled is that of the test,
// so only the first signal that ends can be tried; the handler is gone behind it.
func TestEachSignalAsksForItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		signal         os.Signal
		drains, cancel bool
	}{
		"SIGTERM": {syscall.SIGTERM, true, false},
		"SIGINT":  {os.Interrupt, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveSignals(t.Context())
			defer s.stop()
			send := func(signal os.Signal) {
				t.Helper()
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Signal(signal)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			send(syscall.SIGHUP)
			select {
			case <-s.reload:
			case <-time.After(20 * time.Second):
				t.Fatal("SIGHUP is not told")
			}
			send(test.signal)
			select {
			case <-s.drain:
				if !test.drains || s.ctx.Err() != nil {
					t.Error("it drains, or does not wait for that")
				}
			case <-s.ctx.Done():
				if !test.cancel {
					t.Error("it ends at once")
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the signal is not told")
			}
		})
	}
}
