package callhome

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	// A device may send lines before its SSH version (RFC 4253 section 4.2).
	// x/crypto reads them byte by byte and accepts 1,024 of them; this bounds
	// them before it sees any.
	maxPreambleBytes = 8 << 10
	maxPreambleLines = 64
	// RFC 4253 section 4.2: 255 characters, CR and LF included.
	maxVersionLine = 255
	// A device that waits for our version line first is sent it after this
	// time; all that we know speak at once.
	greetAfter = 3 * time.Second
)

const clientVersion = "SSH-2.0-callhome-gateway"

// errSilent is the failure of a device that said nothing in time.
var errSilent = errors.New("the device sent no SSH version line in time")

// readPreamble reads up to and with the SSH version line and arranges that
// x/crypto reads that line and what follows. It returns what the device claims
// in the lines before. The connection's deadline is moved; deadline is when the
// whole preamble must be there.
func readPreamble(c *callConn, deadline time.Time) (claim, error) {
	early := time.Now().Add(greetAfter)
	if early.After(deadline) {
		early = deadline
	}
	buf := make([]byte, 0, 512)
	for {
		version, err := scanPreamble(buf)
		if err != nil {
			return claim{}, err
		}
		if version >= 0 {
			c.replay = bytes.Clone(buf[version:])
			said, err := parseClaim(buf[:version])
			if err != nil {
				return claim{}, fmt.Errorf("the device begins like Junos, but its lines before SSH are malformed: %w", err)
			}
			return said, nil
		}
		if buf, err = readMore(c, buf, early); err == nil {
			continue
		}
		if c.closed.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return claim{}, fmt.Errorf("the connection ended before the SSH version line: %w", err)
		}
		if c.greeted != nil || !early.Before(deadline) {
			return claim{}, errSilent
		}
		early = deadline
		if err := c.greet(deadline); err != nil {
			return claim{}, err
		}
	}
}

// readMore appends one read to buf, waiting until the deadline.
func readMore(c *callConn, buf []byte, deadline time.Time) ([]byte, error) {
	if len(buf) == cap(buf) {
		buf = append(make([]byte, 0, max(512, 2*cap(buf))), buf...)
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return buf, err
	}
	n, err := c.Conn.Read(buf[len(buf):cap(buf)])
	if n > 0 {
		err = nil
	}
	return buf[:len(buf)+n], err
}

// greet sends our version line ahead of x/crypto, unless it was sent.
func (c *callConn) greet(deadline time.Time) error {
	if c.greeted != nil {
		return nil
	}
	line := []byte(clientVersion + "\r\n")
	if err := c.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Conn.Write(line); err != nil {
		return fmt.Errorf("cannot send the SSH version line: %w", err)
	}
	c.greeted = line
	return nil
}

// scanPreamble returns the offset of a complete SSH version line, or -1 when
// more must be read.
func scanPreamble(buf []byte) (int, error) {
	if IsProxyHeader(buf) {
		return -1, ErrUnnamedProxy
	}
	offset := 0
	for lines := 0; ; lines++ {
		line, _, complete := bytes.Cut(buf[offset:], []byte{'\n'})
		if bytes.HasPrefix(line, []byte("SSH-")) {
			return offsetOfVersion(offset, line, complete)
		}
		if !complete {
			break
		}
		if lines >= maxPreambleLines {
			return -1, fmt.Errorf("more than %d lines before the SSH version line", maxPreambleLines)
		}
		offset += len(line) + 1
	}
	// Only now: behind the version line the binary packets may come at once.
	if err := foreignProtocol(buf); err != nil {
		return -1, err
	}
	if len(buf) > maxPreambleBytes {
		return -1, fmt.Errorf("more than %d bytes without an SSH version line", maxPreambleBytes)
	}
	return -1, nil
}

func offsetOfVersion(offset int, line []byte, complete bool) (int, error) {
	switch {
	case len(line) > maxVersionLine-1:
		return -1, fmt.Errorf("an SSH version line of more than %d bytes", maxVersionLine)
	case !complete:
		return -1, nil
	case !bytes.HasPrefix(line, []byte("SSH-2.0-")) && !bytes.HasPrefix(line, []byte("SSH-1.99-")):
		return -1, fmt.Errorf("the device speaks %s, not SSH 2.0", Quote(strings.TrimSpace(string(line))))
	}
	return offset, nil
}

// foreignProtocol recognises at their first bytes what calls this port by
// mistake most often, so that the log can say what it was.
func foreignProtocol(buf []byte) error {
	if len(buf) < 5 {
		return nil
	}
	if (buf[0] == 0x16 || buf[0] == 0x15) && buf[1] == 3 {
		return errors.New("the device speaks TLS on the port for NETCONF over SSH")
	}
	first, _, _ := bytes.Cut(buf, []byte{'\n'})
	if method, _, ok := strings.Cut(string(first), " "); ok && bytes.Contains(first, []byte(" HTTP/")) {
		return fmt.Errorf("an HTTP request (%s), not an SSH server", Quote(method))
	}
	if isBinary(buf) {
		return fmt.Errorf("not an SSH server: it sent %s", Quote(string(buf)))
	}
	return nil
}
