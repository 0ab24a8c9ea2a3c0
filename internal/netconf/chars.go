package netconf

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// charChecker checks that bytes are UTF-8, and characters that XML allows
// (XML 1.0 section 2.2). It keeps a character whose end has not come.
type charChecker struct {
	part [utf8.UTFMax]byte
	n    int
}

// check returns how many bytes of p come before the first that is wrong.
func (c *charChecker) check(p []byte) (sound int, ok bool) {
	i := 0
	for ; c.n > 0 && i < len(p); i++ {
		c.part[c.n] = p[i]
		c.n++
		if !utf8.FullRune(c.part[:c.n]) {
			continue
		}
		if !startsWithChar(c.part[:c.n]) {
			return 0, false
		}
		c.n = 0
	}
	for i += plainRun(p[i:]); i < len(p); i += plainRun(p[i:]) {
		if !utf8.FullRune(p[i:]) {
			c.n = copy(c.part[:], p[i:])
			return len(p), true
		}
		r, size := utf8.DecodeRune(p[i:])
		if !isChar(r, size) {
			return i, false
		}
		i += size
	}
	return len(p), true
}

func startsWithChar(p []byte) bool { return isChar(utf8.DecodeRune(p)) }

// isChar reports whether what DecodeRune returned is a character of XML.
// UTF-8 has no surrogates, and DecodeRune takes no overlong forms.
func isChar(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size < 3:
		return false
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	}
	return r != 0xFFFE && r != 0xFFFF
}

// plainRun returns how many bytes at the start of p are ASCII and allowed. It
// looks at eight at a time: almost all of what passes here is plain.
func plainRun(p []byte) int {
	const high, space = 0x8080808080808080, 0x2020202020202020
	for i := 0; ; {
		for len(p)-i >= 8 {
			w := binary.LittleEndian.Uint64(p[i:])
			if (w|(w-space))&high != 0 {
				break
			}
			i += 8
		}
		end := min(i+8, len(p))
		for i < end && classes[p[i]]&plain != 0 {
			i++
		}
		if i < end || i == len(p) {
			return i
		}
	}
}

// Classes of ASCII characters.
const (
	plain     = 1 << iota // allowed in a document
	nameStart             // NCName: without the colon
	nameChar
	textStop // ends a run of text
	uriChar
)

var classes = func() (t [256]byte) {
	for c := range utf8.RuneSelf {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if c >= 0x20 || isSpace(byte(c)) {
			t[c] |= plain
		}
		if letter {
			t[c] |= nameStart
		}
		if letter || c >= '0' && c <= '9' || c == '-' || c == '.' {
			t[c] |= nameChar
		}
	}
	for c := '!'; c <= '~'; c++ {
		if !strings.ContainsRune("<>\"{}|\\^`", c) {
			t[c] |= uriChar
		}
	}
	t['<'] |= textStop
	t['&'] |= textStop
	t[']'] |= textStop
	return t
}()

// ncName returns the length of the NCName at the start of p, which is sound
// UTF-8; 0 where there is none.
func ncName(p []byte) int {
	i, class := 0, byte(nameStart)
	for i < len(p) {
		if p[i] < utf8.RuneSelf {
			if classes[p[i]]&class == 0 {
				return i
			}
			i++
		} else {
			r, size := utf8.DecodeRune(p[i:])
			if !isNameStart(r) && (i == 0 || !isNameChar(r)) {
				return i
			}
			i += size
		}
		class = nameChar
	}
	return i
}

// isNameStart is NameStartChar of XML 1.0 section 2.3, beyond ASCII.
func isNameStart(r rune) bool {
	return r >= 0xC0 && r <= 0x2FF && r != 0xD7 && r != 0xF7 ||
		r >= 0x370 && r <= 0x1FFF && r != 0x37E ||
		r == 0x200C || r == 0x200D ||
		r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF ||
		r >= 0x3001 && r <= 0xD7FF || r >= 0xF900 && r <= 0xFDCF ||
		r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

// isNameChar is what NameChar has beyond NameStartChar and ASCII.
func isNameChar(r rune) bool {
	return r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// qName splits the qualified name at the start of p (Namespaces in XML section
// 4). It returns its length, 0 where it is none.
func qName(p []byte) (prefix, local []byte, n int) {
	n = ncName(p)
	if n == 0 || n == len(p) || p[n] != ':' {
		return nil, p[:n], n
	}
	m := ncName(p[n+1:])
	if m == 0 {
		return nil, nil, 0
	}
	return p[:n], p[n+1 : n+1+m], n + 1 + m
}
