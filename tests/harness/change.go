package harness

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"callhome-gateway/internal/control"
)

// Change edits the configuration file, as a careful operator does: there is
// never half of it. The gateway is not told.
func (g *Gateway) Change(t testing.TB, edit func(config string) string) {
	t.Helper()
	before, err := os.ReadFile(g.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	after := edit(string(before))
	if after == string(before) {
		t.Fatal("the edit has changed nothing in the configuration")
	}
	next := filepath.Join(filepath.Dir(g.ConfigPath), "next.hcl")
	write(t, next, []byte(after), 0o600)
	if err := os.Rename(next, g.ConfigPath); err != nil {
		t.Fatal(err)
	}
}

// Reload has the gateway read its configuration again, or fails the test.
func (g *Gateway) Reload(t testing.TB) control.ReloadResult {
	t.Helper()
	result, err := g.control.Reload(context.Background())
	if err != nil {
		t.Fatalf("reload: %v", err)
	}
	return result
}

// Control is for what an operator can ask of the gateway.
func (g *Gateway) Control() *control.Client { return g.control }
