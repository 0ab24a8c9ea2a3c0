package config

import (
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"indents", "callhome {\nport=4334\n}\n", "callhome {\n  port = 4334\n}\n"},
		{"aligns", "callhome {\n  port = 4334\n  enabled = true\n}\n", "callhome {\n  port    = 4334\n  enabled = true\n}\n"},
		{"keeps comments", "# one\nstate_dir=\"x\" # two\n", "# one\nstate_dir = \"x\" # two\n"},
		{"leaves what is right", "log {\n}\n", "log {\n}\n"},
		{"does not judge", "anything = 1\n", "anything = 1\n"},
		{"of nothing", "", ""},
	} {
		got, p := Format("x.hcl", []byte(tc.src))
		if len(p.list) > 0 || string(got) != tc.want {
			t.Errorf("%s: %q, %v", tc.name, got, p)
		}
	}
}

// TestFormatRefusesWhatItWouldBreak: hclwrite joins the parts of a number.
func TestFormatRefusesWhatItWouldBreak(t *testing.T) {
	got, p := Format("x.hcl", []byte("a = 0.0. 0\n"))
	if got != nil || !strings.Contains(p.Error(), "cannot be formatted") {
		t.Errorf("%q, %v", got, p)
	}
}

func TestFormatRefusesWhatDoesNotParse(t *testing.T) {
	got, p := Format("x.hcl", []byte("callhome {\n"))
	if got != nil || !p.HasErrors() || !strings.HasPrefix(p.Error(), "x.hcl:1:10: error: ") {
		t.Errorf("%q, %v", got, p)
	}
}
