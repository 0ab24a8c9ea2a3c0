// Package redact takes what is secret out of NETCONF messages before people or
// files get to see them.
package redact

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"callhome-gateway/internal/netconf"
)

// Mark stands where something was left out.
const Mark = "[redacted]"

// Redactor knows what is secret. Its methods may be called concurrently.
type Redactor struct{ globs []string }

// Append appends a message to dst, of which it takes limit bytes at most, and
// reports whether all of it is there. Left out are, each with a mark in its place:
// the content and the attributes of elements that have the name of a secret, with
// all that is inside; attributes that have one; and in any other text what looks
// like a secret (see text.go). Comments and processing instructions go without a
// mark. What follows the first byte that is not well-formed is not shown, for what
// it is cannot be known; of a message that was cut, neither is the text at its
// end. The part that is there may be cut, but not inside of a mark or a tag.
func (r *Redactor) Append(dst, message []byte, limit int) (out []byte, whole bool) {
	sound, complete := wellFormed(message)
	w := walk{r: r, in: sound, out: dst, limit: len(dst) + limit}
	for w.pos < len(w.in) && !w.full && w.step() {
	}
	if w.hidden > 0 {
		w.mark()
	}
	return w.out, complete && !w.full
}

// wellFormed returns the part of a message in front of what is not well-formed,
// and whether it is all and a whole document.
func wellFormed(message []byte) (sound []byte, complete bool) {
	c := netconf.NewChecker()
	_, err := c.Write(message)
	var wrong *netconf.SyntaxError
	if errors.As(err, &wrong) {
		return message[:min(wrong.Offset, int64(len(message)))], false
	}
	_, err = c.Finish()
	return message, err == nil
}

// walk goes through one message that is well-formed as far as it goes.
type walk struct {
	r     *Redactor
	in    []byte
	pos   int
	out   []byte
	limit int
	full  bool

	hidden int  // how many elements are open from one with a secret's name on
	any    bool // there is something in that
	prose  bool // the element that is open has text for people
}

// step passes one construct. It returns false where that is not there to its end.
func (w *walk) step() bool {
	rest := w.in[w.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("<?xml ")) && w.pos == 0:
		return w.declaration()
	case rest[0] != '<', isMisc(rest):
		return w.text()
	case bytes.HasPrefix(rest, []byte("</")):
		return w.endTag()
	}
	return w.startTag()
}

// isMisc reports whether s begins what may stand in the midst of a text.
func isMisc(s []byte) bool { return len(s) > 1 && s[0] == '<' && (s[1] == '!' || s[1] == '?') }

func (w *walk) declaration() bool {
	n := bytes.Index(w.in, []byte("?>"))
	if n < 0 {
		return false
	}
	w.markup(w.in[:n+2])
	w.pos = n + 2
	return true
}

// markup puts out what cannot be cut.
func (w *walk) markup(b []byte) {
	if w.full = w.full || len(w.out)+len(b) > w.limit; !w.full {
		w.out = append(w.out, b...)
	}
}

func (w *walk) mark() { w.markup([]byte(Mark)) }

func (w *walk) endTag() bool {
	n := bytes.IndexByte(w.in[w.pos:], '>')
	if n < 0 {
		return false
	}
	tag := w.in[w.pos : w.pos+n+1]
	w.pos += len(tag)
	w.prose = false
	if w.hidden > 1 {
		w.hidden--
		return true
	}
	if w.hidden == 1 && w.any {
		w.mark()
	}
	w.hidden = 0
	w.markup(tag)
	return true
}

func (w *walk) startTag() bool {
	tag := w.in[w.pos:]
	n := tagEnd(tag)
	if n < 0 {
		return false
	}
	tag = tag[:n]
	w.pos += n
	empty := tag[n-2] == '/'
	if w.hidden > 0 {
		w.any = true
		if !empty {
			w.hidden++
		}
		return true
	}
	name := localName(tag[1:])
	secret := w.r.secret(name)
	w.markup(w.r.tag(tag, secret))
	w.prose = string(name) == "error-message"
	if secret && !empty {
		w.hidden, w.any = 1, false
	}
	return true
}

// tagEnd returns the length of the start tag at the start of s, or -1.
func tagEnd(s []byte) int {
	quote := byte(0)
	for i, c := range s {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}

// localName returns the local part of the name at the start of s.
func localName(s []byte) []byte {
	n := bytes.IndexAny(s, " \t\r\n/>=")
	if n >= 0 {
		s = s[:n]
	}
	return s[bytes.IndexByte(s, ':')+1:]
}

// text passes all up to the next tag: what comments and CDATA sections have
// split is one value.
func (w *walk) text() bool {
	run := textRun{plain: true}
	for w.pos < len(w.in) {
		rest := w.in[w.pos:]
		if rest[0] == '<' && !isMisc(rest) {
			w.value(&run)
			return true
		}
		n := run.take(rest)
		if n < 0 {
			return false
		}
		w.pos += n
	}
	return false // what may be the start of a secret, or white space behind the root element
}

// value puts out a text that is there to its end.
func (w *walk) value(run *textRun) {
	if w.hidden > 0 {
		w.any = w.any || len(run.value) > 0
		return
	}
	shown := hideValues(run.value, w.prose)
	if run.plain && bytes.Equal(shown, run.value) {
		w.words(run.raw)
		return
	}
	w.words(escape(shown))
}

// words puts out text, or as much of it as there is room for.
func (w *walk) words(b []byte) {
	if room := w.limit - len(w.out); len(b) > room {
		w.full = true
		b = b[:cut(b, room)]
	}
	w.out = append(w.out, b...)
}

// cut returns how much of a text of n bytes can be had without half a character
// or half a reference at its end.
func cut(b []byte, n int) int {
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	if i := bytes.LastIndexByte(b[:n], '&'); i >= 0 && bytes.IndexByte(b[i:n], ';') < 0 {
		return i
	}
	if i := bytes.LastIndexByte(b[:n], '['); i >= 0 && bytes.HasPrefix(b[i:], []byte(Mark)) && i+len(Mark) > n {
		return i
	}
	return n
}
