package callhome

import (
	"errors"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	words := strings.Repeat("word ", 20)
	for _, tt := range []struct{ s, quoted, escaped string }{
		{"", `""`, ""},
		{`got "<a>"`, `"got \"<a>\""`, `got "<a>"`},
		{`back\slash`, `"back\\slash"`, `back\slash`},
		{"a\r\n\x1b[2J\u202eé\xff", `"a\r\n\x1b[2J\u202e\u00e9\xff"`, `a\r\n\x1b[2J\u202e\u00e9\xff`},
		{`\"` + "\n", `"\\\"\n"`, `\"\n`},
		{words[:79] + "x", `"` + words[:79] + `x"`, words[:79] + "x"},
		{words[:79] + " more", `"` + words[:79] + `"…`, words[:79] + "…"},
		{words[:75] + "longer word", `"` + words[:74] + `"…`, words[:74] + "…"},
		{strings.Repeat("x", 100), `"` + strings.Repeat("x", 80) + `"…`, strings.Repeat("x", 80) + "…"},
		{"a " + strings.Repeat("x", 100), `"a ` + strings.Repeat("x", 78) + `"…`, "a " + strings.Repeat("x", 78) + "…"},
	} {
		if got := Quote(tt.s); got != tt.quoted {
			t.Errorf("Quote(%q) = %s, want %s", tt.s, got, tt.quoted)
		}
		if got := escape(tt.s); got != tt.escaped {
			t.Errorf("escape(%q) = %s, want %s", tt.s, got, tt.escaped)
		}
	}
}

// The log quotes the whole; what the device wrote is escaped and bounded in it.
func TestTheEndOfALinkIsNotQuoted(t *testing.T) {
	got := describeNetwork(errors.New("bad chunked framing: no size at \"x\" \x1b" + strings.Repeat("y", 200))).Error()
	if want := `bad chunked framing: no size at "x" \x1b` + strings.Repeat("y", 43) + "…"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
