package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// repository returns the root of the source tree: the directory with go.mod.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("the test does not run inside the source tree")
		}
		dir = parent
	}
}
