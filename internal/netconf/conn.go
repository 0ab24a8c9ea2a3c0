package netconf

import "io"

// Conn is one side of a NETCONF session on a byte stream. Its Reader and its
// Writer may be used by a goroutine each, Close by any.
type Conn struct {
	*Reader
	*Writer
	io.Closer
}

// NewConn returns a Conn that starts with EndOfMessage framing.
func NewConn(rwc io.ReadWriteCloser) *Conn {
	return &Conn{Reader: NewReader(rwc), Writer: NewWriter(rwc), Closer: rwc}
}

// SetFraming sets the framing of both directions from the next message on.
// Call it after both hellos, and before either direction is used again.
func (c *Conn) SetFraming(f Framing) {
	c.Reader.SetFraming(f)
	c.Writer.SetFraming(f)
}
