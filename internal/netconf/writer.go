package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Errors of Writer.Write.
var (
	// ErrDelimiter says that a document contains "]]>]]>", which would end it
	// early in EndOfMessage framing: the rest would be taken for a message of
	// its own.
	ErrDelimiter = errors.New(`message contains "]]>]]>", which base:1.0 framing cannot carry`)
	// ErrEmpty says that a document has no bytes. Some peers crash on one.
	ErrEmpty = errors.New("empty message")
)

// BodyError says that the body of a message could not be read to its end, as
// opposed to the stream that it was written to.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return fmt.Sprintf("reading the message: %v", e.Err) }

func (e *BodyError) Unwrap() error { return e.Err }

// Writer writes messages to a byte stream. It is used by one goroutine at a
// time; it may be used at the same time as a Reader on the same connection.
type Writer struct {
	dst     io.Writer
	framing Framing
	err     error
}

// NewWriter returns a Writer that uses EndOfMessage framing.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// SetFraming sets the framing from the next message on.
func (w *Writer) SetFraming(f Framing) { w.framing = f }

// WriteDocument writes one message.
func (w *Writer) WriteDocument(doc []byte) error {
	return w.Write(&Message{Size: int64(len(doc)), Body: bytes.NewReader(doc)})
}

// Write reads m's body to its end and writes it as one message. What a read of
// the body returned is written before the next read; a small message, framing
// included, is one write. m.Size only helps to see the end, m.Head is not used.
//
// It returns ErrDelimiter, ErrEmpty, a *BodyError, or the stream's error. If a
// part of the message has been written by then, every later Write fails too:
// only closing the stream tells the peer that the message is not whole.
func (w *Writer) Write(m *Message) error {
	if w.err != nil {
		return w.err
	}
	store := pieces.Get().(*[pieceSize]byte)
	defer pieces.Put(store)
	p := piece{store: store, body: m.Body, size: m.Size, framing: w.framing}
	for !p.last {
		if err := p.read(); err != nil {
			return w.fail(&p, err)
		}
		if _, err := w.dst.Write(p.framed()); err != nil {
			p.written = true
			return w.fail(&p, err)
		}
		p.written = true
	}
	return nil
}

func (w *Writer) fail(p *piece, err error) error {
	if p.written {
		w.err = fmt.Errorf("earlier message was cut off: %w", err)
	}
	return err
}

const (
	headerRoom  = len("\n#4294967295\n")
	trailerRoom = len("]]>]]>")
)

// piece is a part of a message on its way: read from the body into the middle
// of a buffer that has room for its framing on both sides.
type piece struct {
	store   *[pieceSize]byte
	body    io.Reader
	size    int64 // of the body, where it is known
	framing Framing
	n       int   // document bytes in this piece
	total   int64 // and with all pieces before it
	last    bool
	written bool
	delim   delimiterFinder
}

// data returns the part of the buffer that is for document bytes.
func (p *piece) data() []byte { return p.store[headerRoom : pieceSize-trailerRoom] }

// read reads the next piece. More than one read of the body is needed only to
// see an end that cannot be far.
func (p *piece) read() error {
	p.n = 0
	for range maxEmptyReads {
		n, err := p.body.Read(p.data()[p.n:])
		p.n += n
		p.total += int64(n)
		if err != nil && err != io.EOF {
			return &BodyError{err}
		}
		if p.last = err == io.EOF || p.drained(); p.last || p.n > 0 && !p.atSize() {
			return p.check()
		}
	}
	if p.n == 0 {
		return &BodyError{io.ErrNoProgress}
	}
	return p.check()
}

// drained reports whether the body is one that holds all its bytes in memory,
// and has none left.
func (p *piece) drained() bool {
	b, ok := p.body.(interface{ Len() int })
	return ok && b.Len() == 0
}

// atSize reports whether the body's next read gives nothing but its end, and
// there is room to find out.
func (p *piece) atSize() bool { return p.size > 0 && p.total >= p.size && p.n < len(p.data()) }

// check refuses what would not arrive as it is.
func (p *piece) check() error {
	if p.total == 0 {
		return ErrEmpty
	}
	if p.framing == EndOfMessage && (p.delim.in(p.data()[:p.n]) || p.last && p.delim.early()) {
		return ErrDelimiter
	}
	return nil
}

// framed returns the piece with its framing around it.
func (p *piece) framed() []byte {
	start, end := headerRoom, headerRoom+p.n
	if p.framing == EndOfMessage {
		if p.last {
			end += copy(p.store[end:], delimiter)
		}
		return p.store[start:end]
	}
	if p.n > 0 {
		var header [headerRoom]byte
		h := strconv.AppendInt(append(header[:0], "\n#"...), int64(p.n), 10)
		h = append(h, '\n')
		start -= len(h)
		copy(p.store[start:], h)
	}
	if p.last {
		end += copy(p.store[end:], endOfChunks)
	}
	return p.store[start:end]
}
