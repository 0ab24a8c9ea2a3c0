package netconf

import (
	"errors"
	"io"
)

// Reader reads messages from a byte stream. It uses at most 134 KiB however
// large a message is, and 2 KiB while it waits for one. A Reader is used by
// one goroutine at a time, the bodies of its messages included; it may be used
// at the same time as a Writer on the same connection.
type Reader struct {
	src     io.Reader
	err     error  // of src, once what is buffered is used up
	buf     []byte // what is read and not used yet: a part of large or idle
	large   *[pieceSize]byte
	framing Framing // of the next message
	settled bool    // a message in that framing has begun
	current *body
	idle    [idleSize]byte
}

// NewReader returns a Reader that expects EndOfMessage framing.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// SetFraming sets the framing from the next message on. What is buffered
// already is read in the new framing: a peer may send its first chunk right
// behind its hello (RFC 6242 section 4.1).
func (r *Reader) SetFraming(f Framing) {
	if r.framing != f {
		r.framing, r.settled = f, false
	}
}

// Next skips what is left of the previous message and returns the next one as
// soon as its root element's start tag has arrived. Its Head has Kind, ID and
// HasID only; a message that ends or goes on for 4 KiB without a sound start
// tag is of KindOther. Messages that are empty or white space are dropped.
//
// The error is io.EOF where the stream ends between messages,
// io.ErrUnexpectedEOF where it ends inside one, a *FramingError, or that of
// the stream. After an error the Reader is of no use.
func (r *Reader) Next() (*Message, error) {
	for {
		if err := r.finish(); err != nil {
			return nil, err
		}
		if err := r.start(); err != nil {
			return nil, err
		}
		r.settled = true
		r.current = &body{r: r, framing: r.framing}
		head, err := r.current.peek()
		if err != nil {
			return nil, err
		}
		if m := r.current; len(m.head) > 0 {
			return &Message{Head: head, Size: m.size(), Body: m}, nil
		}
	}
}

// InMessage reports whether a message has begun that was not read to its end:
// a source that is read meanwhile is waited for in the middle of a message.
func (r *Reader) InMessage() bool { return r.current != nil }

// finish reads the current message to its end.
func (r *Reader) finish() error {
	b := r.current
	if b == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, b); err != nil {
		return err
	}
	b.release()
	b.stale, r.current = true, nil
	return nil
}

// start waits for the first bytes of a message.
func (r *Reader) start() error {
	r.shrink()
	for !r.started() {
		if err := r.fill(); err != nil {
			// A newline behind the last message is no half message.
			if err == io.EOF && len(trimSpace(r.buf)) > 0 {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// started drops white space between messages, where it is harmless, and
// reports whether a message has begun.
func (r *Reader) started() bool {
	if r.framing == EndOfMessage {
		// Many peers send a newline after the delimiter.
		r.buf = trimSpace(r.buf)
		return len(r.buf) > 0
	}
	// Some send it after the hello too, and then "\n#": too many line feeds.
	for !r.settled && len(r.buf) > 1 && isSpace(r.buf[0]) && isSpace(r.buf[1]) {
		r.buf = r.buf[1:]
	}
	return len(r.buf) > 1
}

// fill waits for bytes and puts them behind the few that are buffered.
func (r *Reader) fill() error {
	store := r.idle[:]
	if r.large != nil {
		store = r.large[:]
	}
	kept := copy(store, r.buf)
	n, err := r.read(store[kept:])
	r.buf = store[:kept+n]
	return err
}

// read reads from the source: at least a byte, or an error.
func (r *Reader) read(p []byte) (int, error) {
	for range maxEmptyReads {
		if r.err != nil {
			return 0, r.err
		}
		var n int
		n, r.err = r.src.Read(p)
		if n > 0 {
			return n, nil
		}
	}
	if r.err == nil {
		r.err = io.ErrNoProgress
	}
	return 0, r.err
}

// grow makes room for a large message.
func (r *Reader) grow() {
	if r.large == nil {
		r.large = pieces.Get().(*[pieceSize]byte)
		r.buf = r.large[:copy(r.large[:], r.buf)]
	}
}

// shrink gives the room back, unless more waits in it than a small one holds.
func (r *Reader) shrink() {
	if r.large == nil || len(r.buf) > len(r.idle) {
		return
	}
	r.buf = r.idle[:copy(r.idle[:], r.buf)]
	pieces.Put(r.large)
	r.large = nil
}

// errStale is what the body of an earlier message returns.
var errStale = errors.New("read from the body of a message after the next one was asked for")
