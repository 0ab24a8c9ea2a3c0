package netconf

import (
	"bytes"
	"fmt"
	"math"
)

// The ends of a message in the two framings.
var (
	delimiter   = []byte("]]>]]>") // RFC 6242 section 4.3
	endOfChunks = []byte("\n##\n") // RFC 6242 section 4.2
)

// FramingError says that the peer's bytes are not chunked framing. Where the
// next message starts is unknown from then on: the session has to end.
type FramingError struct {
	// Got is the start of what stands where a chunk header was expected, at
	// most 16 bytes.
	Got    string
	Reason string
}

func (e *FramingError) Error() string {
	return fmt.Sprintf("bad chunked framing: %s at %q", e.Reason, e.Got)
}

// parseChunkHeader reads a chunk header, or the end of chunks (size 0), from
// the start of b. It returns n = 0 where b is too short to tell.
func parseChunkHeader(b []byte) (size int64, n int, err error) {
	for i, want := range "\n#" {
		if len(b) == i {
			return 0, 0, nil
		}
		if b[i] != byte(want) {
			return 0, 0, framingError(b, "no chunk header")
		}
	}
	if len(b) > 2 && b[2] == '#' {
		return parseEndOfChunks(b)
	}
	for i := 2; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\n' && i > 2:
			return size, i + 1, nil
		case c < '0' || c > '9':
			return 0, 0, framingError(b, "chunk size is not a number")
		case c == '0' && i == 2:
			return 0, 0, framingError(b, "chunk size starts with 0")
		default:
			size = size*10 + int64(c-'0')
		}
		// RFC 6242 section 4.2: the maximum chunk-size value is 4294967295.
		if size > math.MaxUint32 {
			return 0, 0, framingError(b, "chunk size exceeds 4294967295")
		}
	}
	return 0, 0, nil
}

func parseEndOfChunks(b []byte) (int64, int, error) {
	if len(b) < len(endOfChunks) {
		return 0, 0, nil
	}
	if !bytes.HasPrefix(b, endOfChunks) {
		return 0, 0, framingError(b, "bad end of chunks")
	}
	return 0, len(endOfChunks), nil
}

func framingError(b []byte, reason string) error {
	return &FramingError{Got: string(b[:min(len(b), 16)]), Reason: reason}
}

// openDelimiter returns how many bytes at the end of b may be the start of a
// delimiter that is not whole yet.
func openDelimiter(b []byte) int {
	for n := min(len(b), len(delimiter)-1); n > 0; n-- {
		if bytes.HasSuffix(b, delimiter[:n]) {
			return n
		}
	}
	return 0
}

// delimiterFinder looks for the delimiter in a document that comes in pieces.
type delimiterFinder struct{ open int } // bytes of one that the pieces end with

// in reports whether a delimiter ends in p, the next piece.
func (d *delimiterFinder) in(p []byte) bool {
	var room [2 * 6]byte
	edge := append(room[:0], delimiter[:d.open]...)
	edge = append(edge, p[:min(len(p), len(delimiter)-1)]...)
	if bytes.Contains(edge, delimiter) || bytes.Contains(p, delimiter) {
		return true
	}
	if len(p) < len(delimiter) {
		p = edge
	}
	d.open = openDelimiter(p)
	return false
}

// early reports whether a delimiter behind the pieces would be found before
// its place, because they end with half of one.
func (d *delimiterFinder) early() bool {
	var room [2 * 6]byte
	edge := append(append(room[:0], delimiter[:d.open]...), delimiter...)
	return bytes.Index(edge, delimiter) < d.open
}

// isSpace reports whether c is white space in the sense of XML.
func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// trimSpace returns b without leading white space.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}
