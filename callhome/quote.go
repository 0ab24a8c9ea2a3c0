package callhome

import (
	"strconv"
	"strings"
)

// maxQuoted is how much of a string from outside is shown to a person.
const maxQuoted = 80

// Quote returns s as a Go string literal in ASCII, cut to a length that fits a
// log line. Everything that a device sent goes through it before it is logged
// or shown: newlines, escapes and terminal controls in it stay harmless.
func Quote(s string) string {
	s, more := cut(s)
	return strconv.QuoteToASCII(s) + more
}

// escape is Quote without the quotes, for what the log quotes as a whole. What
// is printable stays as it is, quotes and backslashes included.
func escape(s string) string {
	s, more := cut(s)
	literal := strconv.QuoteToASCII(s)
	return unquoter.Replace(literal[1:len(literal)-1]) + more
}

var unquoter = strings.NewReplacer(`\\`, `\`, `\"`, `"`)

// cut ends a text that is too long between two words, if they are not too long
// either, and returns what stands for the rest.
func cut(s string) (kept, more string) {
	if len(s) <= maxQuoted {
		return s, ""
	}
	end := maxQuoted
	if space := strings.LastIndexByte(s[:maxQuoted+1], ' '); space > maxQuoted/2 {
		end = space
	}
	return s[:end], "…"
}
