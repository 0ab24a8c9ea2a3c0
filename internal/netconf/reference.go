package netconf

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"
)

var errReference = errors.New("a reference that is neither to a character XML allows nor one of the five entities it predefines")

// resolve returns the character that a reference stands for; ref is without
// "&" and ";" (XML 1.0 section 4.1).
func resolve(ref []byte) (rune, error) {
	switch string(ref) {
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "amp":
		return '&', nil
	case "apos":
		return '\'', nil
	case "quot":
		return '"', nil
	}
	digits, ok := bytes.CutPrefix(ref, []byte("#"))
	if !ok || len(ref) > maxRef {
		return 0, errReference
	}
	base := 10
	if hex, ok := bytes.CutPrefix(digits, []byte("x")); ok {
		digits, base = hex, 16
	}
	// ParseUint takes no sign, and underscores only with base 0.
	n, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || !utf8.ValidRune(rune(n)) || n > utf8.MaxRune || !isChar(rune(n), utf8.UTFMax) {
		return 0, errReference
	}
	return rune(n), nil
}

// checkValue checks an attribute's value as it was sent, without its quotes.
func checkValue(raw []byte) error {
	if bytes.IndexByte(raw, '<') >= 0 {
		return errors.New(`"<" in an attribute's value`)
	}
	return eachReference(raw, func([]byte, rune) {})
}

// value returns the value of an attribute that checkValue passed: references
// resolved, white space normalised (XML 1.0 section 3.3.3).
func value(raw []byte) []byte {
	if !bytes.ContainsAny(raw, "&\t\r\n") {
		return raw
	}
	out := make([]byte, 0, len(raw))
	_ = eachReference(raw, func(literal []byte, r rune) {
		out = append(out, normalised(literal)...)
		if r >= 0 {
			out = utf8.AppendRune(out, r)
		}
	})
	return out
}

// Unescape returns text of a document that a Checker has passed, with its
// references resolved. It returns text itself where there are none.
func Unescape(text []byte) []byte {
	if bytes.IndexByte(text, '&') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	_ = eachReference(text, func(literal []byte, r rune) {
		if out = append(out, literal...); r >= 0 {
			out = utf8.AppendRune(out, r)
		}
	})
	return out
}

// normalised returns literal text of a value with each white space character,
// a CR LF being one, turned into a space.
func normalised(literal []byte) []byte {
	s := bytes.ReplaceAll(literal, []byte("\r\n"), []byte("\n"))
	for i, c := range s {
		if isSpace(c) {
			s[i] = ' '
		}
	}
	return s
}

// eachReference calls f with each stretch of literal text and the reference
// that follows it, or -1 at the end.
func eachReference(raw []byte, f func(literal []byte, r rune)) error {
	for {
		amp := bytes.IndexByte(raw, '&')
		if amp < 0 {
			f(raw, -1)
			return nil
		}
		end := bytes.IndexByte(raw[amp:], ';')
		if end < 0 {
			return errReference
		}
		r, err := resolve(raw[amp+1 : amp+end])
		if err != nil {
			return err
		}
		f(raw[:amp], r)
		raw = raw[amp+end+1:]
	}
}
