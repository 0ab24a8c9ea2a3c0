package auth

import "strings"

// matchGlob reports whether name matches the pattern, in which "*" stands for
// any characters and "?" for one. Case does not matter, since device names
// are unique without regard to it. It takes at most len(pattern)*len(name)
// steps, whatever the pattern.
func matchGlob(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	p, n := 0, 0
	star, resume := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			// The last star takes one character more, and the rest starts over.
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
