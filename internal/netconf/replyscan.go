package netconf

import "bytes"

// maxScanned bounds an error-tag or error-severity that is kept; those of RFC
// 6241 are shorter. A longer name is none that is looked for.
const maxScanned = 64

// How much of a long reply a ReplyScanner looks at, in bytes.
const (
	scanStart = 8 << 10
	scanEnd   = 8 << 10
)

// ReplyScanner tells what an rpc-reply says of its rpc while it passes, at little
// cost: it goes by local names, whatever their namespace, and of a reply that is
// long and has begun with data it looks at the start and at the end only. There an
// rpc-error is seen that stands behind all data; one in the midst of more than 16
// KiB of them is not (RFC 6241 has errors in front of data, in its schema). What it
// makes of a document that is not well-formed means nothing. The zero value is
// ready for a reply. It is used by one goroutine at a time.
type ReplyScanner struct {
	seen int
	tail []byte // of what was not scanned; nil while all is

	state  scanState
	quote  byte    // that is open in a tag
	last   [2]byte // what came last, of what ends with two characters and ">"
	depth  int
	naming bool // the name of a tag that matters has begun and not ended
	data   bool // inside of a data element, where no errors are

	inError int // the depth of the rpc-error that is open, or 0
	field   scanField
	kept    [maxScanned]byte // a name, or the text of field
	n       int              // how much of it; maxScanned when there is more

	ok, warned, failed bool
	severity, tag      string // of the error that is open
	first              string // tag of the first error, a warning until there is another
}

type scanState uint8

const (
	scanText scanState = iota
	scanMarkup
	scanStartTag
	scanEndTag
	scanBang
	scanComment
	scanCDATA
	scanInstruction
)

type scanField uint8

const (
	fieldNone scanField = iota
	fieldSeverity
	fieldTag
)

// Finish is called at the end of the reply, before what it said is asked for.
func (s *ReplyScanner) Finish() {
	if s.tail != nil {
		s.ending()
		s.tail = nil
	}
}

// OK reports whether the reply says ok, or has nothing but warnings, and no
// error.
func (s *ReplyScanner) OK() bool { return !s.failed && (s.ok || s.warned && !s.data) }

// Failed reports whether the reply has an rpc-error that is no warning: below
// the root, or in an element of its own there (see depthResult).
func (s *ReplyScanner) Failed() bool { return s.failed }

// ErrorTag returns the error-tag of the first such rpc-error, or of the first
// warning where there are only those; 64 bytes of it at most.
func (s *ReplyScanner) ErrorTag() string { return s.first }

// Write takes the next bytes of the reply. What follows the first error is of
// no matter any more.
func (s *ReplyScanner) Write(p []byte) (int, error) {
	if s.tail != nil {
		s.keepTail(p)
		return len(p), nil
	}
	for i := 0; i < len(p) && !s.failed; {
		if s.seen+i > scanStart && s.dull() {
			s.tail = make([]byte, 0, 2*scanEnd)
			s.keepTail(p[i:])
			break
		}
		i += s.scan(p[i:])
	}
	s.seen += len(p)
	return len(p), nil
}

// dull reports whether there are data, and nothing else so far.
func (s *ReplyScanner) dull() bool {
	return s.state == scanText && s.depth >= depthOperation && s.inError == 0 && !s.warned && !s.ok
}

// scan takes at least a byte of p, or none and sets another state.
func (s *ReplyScanner) scan(p []byte) int {
	switch s.state {
	case scanMarkup:
		return s.markup(p[0])
	case scanStartTag:
		return s.startTag(p)
	case scanEndTag:
		return s.endTag(p)
	case scanBang:
		return s.bang(p[0])
	case scanComment:
		return s.skip(p, '-', '-')
	case scanCDATA:
		return s.skip(p, ']', ']')
	case scanInstruction:
		return s.skip(p, 0, '?')
	}
	return s.text(p)
}

func (s *ReplyScanner) text(p []byte) int {
	i := bytes.IndexByte(p, '<')
	if i < 0 {
		s.keep(p)
		return len(p)
	}
	s.keep(p[:i])
	s.state = scanMarkup
	return i + 1
}

// keep keeps text that is asked for.
func (s *ReplyScanner) keep(text []byte) {
	if s.field != fieldNone {
		s.n += copy(s.kept[s.n:], text)
	}
}

// markup finds out what "<" begins.
func (s *ReplyScanner) markup(first byte) int {
	s.last = [2]byte{}
	switch first {
	case '/':
		s.state = scanEndTag
	case '!':
		s.state = scanBang
	case '?':
		s.state = scanInstruction
	default:
		s.state, s.quote = scanStartTag, 0
		if s.naming = s.depth < depthResult || s.inError > 0; s.naming {
			s.field, s.n = fieldNone, 0
		}
		return 0
	}
	return 1
}

// bang finds out what "<!" begins.
func (s *ReplyScanner) bang(next byte) int {
	switch next {
	case '-':
		s.state = scanComment
	case '[':
		s.state = scanCDATA
	default:
		s.state = scanEndTag // no reply has that
	}
	return 1
}

// skip looks for the end of a construct that ends with a and b, of which a may
// be any, and ">".
func (s *ReplyScanner) skip(p []byte, a, b byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(p[i:], '>')
		if n < 0 {
			s.last = [2]byte{s.before(p, len(p), 2), s.before(p, len(p), 1)}
			return len(p)
		}
		i += n
		if s.before(p, i, 1) == b && (a == 0 || s.before(p, i, 2) == a) {
			s.state = scanText
			return i + 1
		}
	}
}

// before returns the byte that stands n in front of p[i].
func (s *ReplyScanner) before(p []byte, i, n int) byte {
	if i >= n {
		return p[i-n]
	}
	return s.last[len(s.last)+i-n]
}

// tagStops are where the run of a start tag's bytes is looked at.
var tagStops = [256]bool{'>': true, '"': true, '\'': true}

func (s *ReplyScanner) startTag(p []byte) int {
	if s.quote != 0 {
		i := bytes.IndexByte(p, s.quote)
		if i < 0 {
			return len(p)
		}
		s.quote, s.last[1] = 0, 0
		return i + 1
	}
	i := 0
	if s.naming {
		i = s.name(p)
	}
	for i < len(p) && !tagStops[p[i]] {
		i++
	}
	slash := s.last[1]
	if i > 0 {
		slash = p[i-1]
	}
	switch {
	case i == len(p):
		s.last[1] = slash
		return i
	case p[i] == '>':
		s.state = scanText
		s.opened(slash == '/')
	default:
		s.quote = p[i]
	}
	return i + 1
}

// name keeps the local name at the start of p.
func (s *ReplyScanner) name(p []byte) int {
	for i, c := range p {
		switch {
		case c == ':':
			s.n = 0
		case c == '>' || c == '/' || isSpace(c):
			s.naming = false
			return i
		case s.n < len(s.kept):
			s.kept[s.n] = c
			s.n++
		}
	}
	return len(p)
}

func (s *ReplyScanner) endTag(p []byte) int {
	i := bytes.IndexByte(p, '>')
	if i < 0 {
		return len(p)
	}
	s.state = scanText
	s.closed()
	return i + 1
}

// opened is told of each start tag, and whether its element is empty.
func (s *ReplyScanner) opened(empty bool) {
	s.depth++
	switch {
	case s.inError > 0:
		if s.depth == s.inError+1 {
			s.field = fieldNamed(s.kept[:s.n])
			s.n = 0
		}
	case s.depth > depthResult || s.depth < depthOperation:
	case string(s.kept[:s.n]) == "rpc-error" && (s.depth == depthOperation || !s.data):
		s.inError, s.severity, s.tag = s.depth, "", ""
	case s.depth == depthOperation:
		s.ok = s.ok || string(s.kept[:s.n]) == "ok"
		s.data = string(s.kept[:s.n]) == "data"
	}
	if empty {
		s.closed()
	}
}

func fieldNamed(local []byte) scanField {
	switch string(local) {
	case "error-severity":
		return fieldSeverity
	case "error-tag":
		return fieldTag
	}
	return fieldNone
}

// closed is told of each end tag.
func (s *ReplyScanner) closed() {
	switch {
	case s.inError == 0:
	case s.depth == s.inError+1:
		text := string(bytes.TrimSpace(s.kept[:s.n]))
		switch s.field {
		case fieldSeverity:
			s.severity = text
		case fieldTag:
			s.tag = text
		}
		s.field = fieldNone
	case s.depth == s.inError:
		s.errorEnds()
	}
	s.depth = max(0, s.depth-1)
}

func (s *ReplyScanner) errorEnds() {
	s.inError = 0
	warning := s.severity == "warning"
	if !warning || !s.warned {
		s.first = s.tag
	}
	s.warned, s.failed = s.warned || warning, !warning
}
