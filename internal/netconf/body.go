package netconf

import (
	"bytes"
	"io"
)

// body is the document of a message, read from the stream as it is asked for.
type body struct {
	r       *Reader
	framing Framing
	head    []byte // what peek has taken from the stream
	store   *[headSize]byte
	// left is the number of document bytes that come next in the stream: of
	// the current chunk, or those that are buffered in front of a delimiter.
	left  int64
	done  bool // the end of the message is read from the stream
	stale bool
}

// Read returns what has arrived, and waits only where nothing has. Where the
// end has arrived too, io.EOF comes along with the last bytes.
func (b *body) Read(p []byte) (int, error) {
	if b.stale {
		return 0, errStale
	}
	n := copy(p, b.head)
	b.head = b.head[n:]
	if len(b.head) > 0 {
		return n, nil
	}
	b.release()
	m, err := b.take(p[n:], n == 0 && len(p) > 0)
	n += m
	switch {
	case err != nil && n == 0:
		return 0, err
	case b.done:
		return n, io.EOF
	}
	return n, nil
}

// WriteTo spares io.Copy a buffer of its own.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	store := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(store)
	var total int64
	for {
		n, err := b.Read(store[:])
		if n > 0 {
			m, werr := w.Write(store[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// size returns the length of a document that has arrived whole, or -1.
func (b *body) size() int64 {
	if b.done {
		return int64(len(b.head))
	}
	return -1
}

// peek takes the start of the document from the stream, as far as it has
// arrived but at least to the end of the root's start tag, and keeps it.
func (b *body) peek() (Head, error) {
	b.store = heads.Get().(*[headSize]byte)
	root := newRootHead()
	defer root.free()
	for known := false; !b.done && len(b.head) < headSize && !known; {
		n, err := b.take(b.store[len(b.head):], true)
		if err != nil {
			return Head{}, err
		}
		b.head = b.store[:len(b.head)+n]
		if len(trimSpace(b.head)) == 0 && (b.done || len(b.head) == headSize) {
			b.head = b.store[:0] // nothing but white space so far
			root.reset()
			continue
		}
		known = root.write(b.head[len(b.head)-n:])
	}
	return root.head(), nil
}

// release gives the memory of peek back.
func (b *body) release() {
	if b.store != nil {
		heads.Put(b.store)
		b.store, b.head = nil, nil
	}
}

// take moves document bytes from the stream to p: those that are buffered, and
// where there are none and wait is set, those that come next. It sets done as
// soon as the end of the message is buffered.
func (b *body) take(p []byte, wait bool) (n int, err error) {
	for !b.done {
		wait := wait && n == 0
		if b.left == 0 && wait && b.framing == EndOfMessage && len(b.r.buf) == 0 && len(p) >= directSize {
			return b.takeDirect(p)
		}
		if b.left == 0 {
			if found, err := b.boundary(wait); !found {
				return n, err
			}
			continue
		}
		m, err := b.takeData(p[n:], wait)
		n += m
		if m == 0 || err != nil {
			return n, err
		}
	}
	return n, nil
}

// boundary finds out what comes next in the stream: it sets left or done. It
// returns false where that has not arrived and is not waited for, or failed.
func (b *body) boundary(wait bool) (bool, error) {
	for {
		known, err := b.parse()
		if known || err != nil {
			return known, err
		}
		if !wait {
			return false, nil
		}
		if err := b.fill(); err != nil {
			return false, err
		}
	}
}

// parse does the work of boundary on what is buffered.
func (b *body) parse() (bool, error) {
	if b.framing == EndOfMessage {
		b.scan()
		return b.left > 0 || b.done, nil
	}
	size, n, err := parseChunkHeader(b.r.buf)
	if n == 0 || err != nil {
		return false, err
	}
	b.r.buf = b.r.buf[n:]
	b.left, b.done = size, size == 0
	return true, nil
}

// scan sets left to the number of bytes in front of the delimiter, or done if
// it comes next.
func (b *body) scan() {
	buf := b.r.buf
	switch i := bytes.Index(buf, delimiter); {
	case i == 0:
		b.r.buf, b.done = buf[len(delimiter):], true
	case i > 0:
		b.left = int64(i)
	default:
		b.left = int64(len(buf) - openDelimiter(buf))
	}
}

// takeData moves up to left bytes to p.
func (b *body) takeData(p []byte, wait bool) (int, error) {
	p = p[:min(int64(len(p)), b.left)]
	if len(b.r.buf) == 0 && wait && len(p) > 0 && len(p) < directSize {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.r.buf)
	b.r.buf = b.r.buf[n:]
	var err error
	if n == 0 && wait && len(p) > 0 {
		n, err = b.r.read(p)
	}
	b.left -= int64(n)
	return n, unexpected(err)
}

// takeDirect reads from the stream into p, and keeps what lies behind the
// document's end, or may be a delimiter, for later.
func (b *body) takeDirect(p []byte) (int, error) {
	b.r.grow()
	n, err := b.r.read(p[:min(len(p), pieceSize)])
	if err != nil {
		return 0, unexpected(err)
	}
	end, rest := n-openDelimiter(p[:n]), 0
	if i := bytes.Index(p[:n], delimiter); i >= 0 {
		end, rest, b.done = i, len(delimiter), true
	}
	b.r.buf = b.r.large[:copy(b.r.large[:], p[end+rest:n])]
	if end == 0 && !b.done {
		return b.take(p, true)
	}
	return end, nil
}

// fill waits for more. Inside of a message there is more to come than a small
// buffer is good for.
func (b *body) fill() error {
	b.r.grow()
	return unexpected(b.r.fill())
}

// unexpected turns io.EOF, which is no proper end inside of a message, into
// io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
