package config

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"callhome-gateway/auth"
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

// FuzzSaved: whatever is in the state, a good file stays one, with all that it
// has and nothing else changed.
func FuzzSaved(f *testing.F) {
	for _, s := range []Saved{
		savedUser("a", "username = \"a\"\npassword = \"b\""), savedSession("a", "address = \"192.0.2.1\"\nport = 830"),
		savedSession("a", "host_keys = [\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]\nuser = \"fleet\"\nhello {\n  base = [\"1.0\"]\n}"),
	} {
		f.Add(s.Kind, s.Name, s.Text.Reveal())
	}
	const file = "callhome {\n  users = [\"fleet\"]\n}\nuser \"fleet\" {\n  username = \"a\"\n  password = env(\"PASSWORD\")\n}\n" +
		"session \"edge-1\" {\n  address = \"192.0.2.1\"\n}\ngateway {\n  port = 830\n}\n"
	f.Fuzz(func(t *testing.T, kind, name, text string) {
		s := Saved{Kind: kind, Name: name, Text: auth.Secret(text)}
		c, p := load("x.hcl", openFile{content: []byte(file)}, Options{Getenv: testGetenv, Saved: []Saved{s, {Kind: SavedCallhomeUser, Name: name}, s}})
		if c == nil || len(p.list) > 0 {
			t.Fatal(p)
		}
		if c.Callhome.Entries[0].Name != "edge-1" || c.Callhome.Users[0].Name != "fleet" || len(c.Callhome.Entries) != len(c.Gateway.Devices) || len(c.SetAside) == 0 {
			t.Errorf("%+v", c)
		}
	})
}
