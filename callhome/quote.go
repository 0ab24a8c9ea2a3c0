package callhome

import "strconv"

// maxQuoted is how much of a string from outside is shown to a person.
const maxQuoted = 80

// Quote returns s as a Go string literal in ASCII, cut to a length that fits a
// log line. Everything that a device sent goes through it before it is logged
// or shown: newlines, escapes and terminal controls in it stay harmless.
func Quote(s string) string {
	if len(s) <= maxQuoted {
		return strconv.QuoteToASCII(s)
	}
	return strconv.QuoteToASCII(s[:maxQuoted]) + "…"
}
