package gateway

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// Who may write into the log before it has logged in must not forge lines.
func TestLogged(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"noc@edge-1", "noc@edge-1"},
		{`a "b"='c' \n`, `a "b"='c' \n`},
		{"a\n2026-01-01 [INFO] b\r\n", "a?2026-01-01 [INFO] b??"},
		{"\x1b[31m\x00\x7f\t", "?[31m???"},
		{"caf\u00e9 \u202e\u2028\u0085", "caf? ???"},
		{"\xff\xc3", "??"},
		{strings.Repeat("x", maxShown), strings.Repeat("x", maxShown)},
		{strings.Repeat("x", maxShown+1), strings.Repeat("x", maxShown) + "..."},
	} {
		got := logged(c.in)
		if got != c.want {
			t.Errorf("%q is logged as %q", c.in, got)
		}
		var out bytes.Buffer
		hclog.New(&hclog.LoggerOptions{Output: &out}).Info("a login", "user", got, "reason", "none")
		if strings.Count(out.String(), "\n") != 1 || !strings.HasSuffix(out.String(), " reason=none\n") {
			t.Errorf("%q becomes %q", c.in, out.String())
		}
	}
}
