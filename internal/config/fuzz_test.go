package config

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoad: no file makes the checks panic, and what is said about it can be
// printed. It has an error or a configuration, never both.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.hcl")
	for _, name := range append(files, exampleFile) {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		c, p := load("fuzz.hcl", openFile{content: src}, Options{Offline: len(src)%2 == 0, Getenv: testGetenv})
		if (c == nil) != p.HasErrors() {
			t.Errorf("config %v with problems %v", c, p)
		}
		if err := p.Print(io.Discard, true, 40); err != nil {
			t.Error(err)
		}
		if again, p := Format("fuzz.hcl", src); !p.HasErrors() {
			if _, p := Format("fuzz.hcl", again); p.HasErrors() {
				t.Errorf("formatted, it does not parse: %v", p)
			}
		}
	})
}
