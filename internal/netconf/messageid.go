package netconf

import (
	"io"
	"strings"
	"unicode/utf8"
)

// span is a part of a document, in bytes from its start.
type span struct{ start, end int64 }

func (s span) len() int64 { return s.end - s.start }

// textOf returns where the value of an attribute stands, given the text that
// it is a slice of and where that starts.
func textOf(attributes []byte, a attr, at int64) span {
	// Both slices reach to the same end of memory.
	start := at + int64(cap(attributes)-cap(a.raw))
	return span{start, start + int64(len(a.raw))}
}

// WithID returns the message with id as the value of its message-id; every
// other byte of it stays as it is. The Body of m is read through the new one.
// A message without a message-id stays without. The Head must be of a Checker
// that has read the message, or of the Reader that the message comes from.
func (m *Message) WithID(id string) *Message {
	if !m.Head.HasID {
		return m
	}
	old := m.Head.idText
	text := escapeValue(id)
	changed := &Message{Head: m.Head, Size: m.Size}
	changed.Head.ID = id
	changed.Head.idText.end = old.start + int64(len(text))
	changed.Head.Attributes = "" // no longer as they are
	changed.Body = &idBody{src: m.Body, before: old.start, text: text, skip: old.len()}
	if m.Size >= 0 {
		changed.Size += int64(len(text)) - old.len()
	}
	return changed
}

// maxEcho leaves room in what a Reader looks at for the rest of a reply's
// start: an XML declaration, declarations that the device adds.
const maxEcho = headSize - 1<<10

// Echoable reports whether a Reader will know the head of a reply that repeats
// the attributes of this rpc, which every reply does (RFC 6241 section 4.2),
// however the device writes them. The length of the message-id does not matter:
// with WithID it does not travel. The Head must be of a Checker.
func (h Head) Echoable() bool { return h.echo+2*len(h.prefix) <= maxEcho }

// echoSize returns how long text may become where another program writes it as
// an attribute: &quot;, &#10;, &#x10FFFF;.
func echoSize(text []byte) int {
	size := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			size += 4
		case strings.IndexByte("<>&\"'\t\r\n", c) >= 0:
			size += 6
		default:
			size++
		}
	}
	return size
}

// valueEscaper writes the value of an attribute so that it can stand in either
// sort of quotes, and comes through the normalisation of white space (XML 1.0
// section 3.3.3).
var valueEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;",
	`"`, "&quot;", "'", "&apos;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")

func escapeValue(s string) string { return valueEscaper.Replace(s) }

// idBody is a document with another message-id.
type idBody struct {
	src    io.Reader
	before int64  // bytes that are left in front of the value
	text   string // what is left of the new value
	skip   int64  // bytes that are left of the old value
}

// Read does not wait for more than the source does: the start tag of a message
// has arrived as a whole when its id is known.
func (b *idBody) Read(p []byte) (n int, err error) {
	for b.before > 0 && n < len(p) {
		m, err := b.src.Read(p[n:min(int64(len(p)), int64(n)+b.before)])
		b.before -= int64(m)
		if n += m; err != nil || m == 0 {
			return n, unexpected(err)
		}
	}
	if b.before > 0 {
		return n, nil
	}
	m := copy(p[n:], b.text)
	b.text, n = b.text[m:], n+m
	if len(b.text) > 0 {
		return n, nil
	}
	for b.skip > 0 && n < len(p) {
		// What is read here is overwritten.
		m, err := b.src.Read(p[n:min(int64(len(p)), int64(n)+b.skip)])
		if b.skip -= int64(m); err != nil || m == 0 {
			return n, unexpected(err)
		}
	}
	if n == len(p) {
		return n, nil
	}
	m, err = b.src.Read(p[n:])
	return n + m, err
}
