package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the tests say and hear. They have a NETCONF codec of their own, so
// that a mistake in the gateway's is not made on both sides.
const (
	BaseNamespace = "urn:ietf:params:xml:ns:netconf:base:1.0"
	Base10        = "urn:ietf:params:netconf:base:1.0"
	Base11        = "urn:ietf:params:netconf:base:1.1"
	EndOfMessage  = "]]>]]>"
)

// ErrTimeout is returned by Receive when no message arrived in time.
var ErrTimeout = errors.New("no message in time")

// Session is a manager's side of one NETCONF session. It reads only while
// Receive is called, so that a test can be a manager that stops reading. It is
// for one goroutine.
type Session struct {
	// ServerHello is what the server said first, and ID its session-id.
	ServerHello string
	ID          uint32
	// Chunked says which framing was agreed.
	Chunked bool
	// Notifications are those that arrived while a reply was awaited.
	Notifications []string

	rw      io.ReadWriteCloser
	in      *bufio.Reader
	heard   []string      // the beginnings of all messages
	pending chan received // a read that an earlier Receive has begun
	lastID  int
}

type received struct {
	document string
	err      error
}

// NewSession wraps a byte stream. No hello is sent or read yet.
func NewSession(rw io.ReadWriteCloser) *Session {
	return &Session{rw: rw, in: bufio.NewReaderSize(rw, 64<<10)}
}

// Hello returns a manager's hello with these base versions.
func Hello(bases ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><hello xmlns="%s"><capabilities>`, BaseNamespace)
	for _, base := range bases {
		fmt.Fprintf(&b, "<capability>%s</capability>", base)
	}
	return b.String() + "</capabilities></hello>"
}

var sessionID = regexp.MustCompile(`<(?:\w+:)?session-id>\s*(\d+)\s*</`)

// Open exchanges hellos, offering these base versions, and settles the framing.
func (s *Session) Open(within time.Duration, bases ...string) error {
	if err := s.SendRaw(Hello(bases...) + EndOfMessage); err != nil {
		return fmt.Errorf("sending the hello: %w", err)
	}
	return s.ReadHello(within, bases...)
}

// ReadHello is the second half of Open, for a test that sends its hello late.
func (s *Session) ReadHello(within time.Duration, bases ...string) error {
	hello, err := s.Receive(within)
	if err != nil {
		return fmt.Errorf("waiting for the hello: %w", err)
	}
	found := sessionID.FindStringSubmatch(hello)
	if found == nil {
		return fmt.Errorf("a hello without a session-id: %.300q", hello)
	}
	id, err := strconv.ParseUint(found[1], 10, 32)
	if err != nil {
		return fmt.Errorf("the hello's session-id: %w", err)
	}
	s.ServerHello, s.ID = hello, uint32(id)
	s.Chunked = strings.Contains(hello, Base11+"<") && slices.Contains(bases, Base11)
	return nil
}

// SendRaw sends these bytes and nothing else.
func (s *Session) SendRaw(text string) error {
	_, err := io.WriteString(s.rw, text)
	return err
}

// Send sends one document in the agreed framing.
func (s *Session) Send(document string) error { return s.SendRaw(s.Frame(document)) }

// Frame returns the document in the agreed framing.
func (s *Session) Frame(document string) string {
	if s.Chunked {
		return fmt.Sprintf("\n#%d\n%s\n##\n", len(document), document)
	}
	return document + EndOfMessage
}

// Receive returns the next message, whatever it is.
func (s *Session) Receive(within time.Duration) (string, error) {
	if s.pending == nil {
		s.pending = make(chan received, 1)
		go func(to chan<- received, chunked bool) {
			document, err := s.read(chunked)
			to <- received{document, err}
		}(s.pending, s.Chunked)
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case r := <-s.pending:
		s.pending = nil
		s.heard = append(s.heard, r.document[:min(len(r.document), 1000)])
		return r.document, r.err
	case <-timer.C:
		return "", ErrTimeout
	}
}

// Discard reads the next message like Receive, keeps nothing of it, and returns
// its length.
func (s *Session) Discard(within time.Duration) (int64, error) {
	late := time.AfterFunc(within, func() { s.rw.Close() })
	defer late.Stop()
	if !s.Chunked {
		return 0, errors.New("only in chunked framing")
	}
	var total int64
	for {
		size, err := readChunkSize(s.in)
		if err != nil || size == 0 {
			return total, err
		}
		if _, err := io.CopyN(io.Discard, s.in, size); err != nil {
			return total, err
		}
		total += size
	}
}

// Heard reports whether the beginning of any message so far holds the text.
func (s *Session) Heard(text string) bool {
	return slices.ContainsFunc(s.heard, func(m string) bool { return strings.Contains(m, text) })
}

func (s *Session) read(chunked bool) (string, error) {
	if chunked {
		return readChunks(s.in)
	}
	return readToDelimiter(s.in)
}

func readToDelimiter(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		part, err := r.ReadString('>')
		b.WriteString(part)
		if document, ok := strings.CutSuffix(b.String(), EndOfMessage); ok {
			return document, nil
		}
		if err != nil {
			return b.String(), atBoundary(err, b.Len())
		}
	}
}

func readChunks(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		size, err := readChunkSize(r)
		if err != nil {
			return b.String(), atBoundary(err, b.Len())
		}
		if size == 0 {
			return b.String(), nil
		}
		if _, err := io.CopyN(&b, r, size); err != nil {
			return b.String(), fmt.Errorf("chunk of %d bytes: %w", size, err)
		}
	}
}

// readChunkSize returns 0 at the end of the message.
func readChunkSize(r *bufio.Reader) (int64, error) {
	header, err := readChunkHeader(r)
	if err != nil || header == "#" {
		return 0, err
	}
	size, err := strconv.ParseInt(header, 10, 64)
	if err != nil || size <= 0 {
		return 0, fmt.Errorf("chunk header %q", header)
	}
	return size, nil
}

// readChunkHeader returns what stands between "\n#" and the next line end.
func readChunkHeader(r *bufio.Reader) (string, error) {
	for _, want := range "\n#" {
		got, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		if got != byte(want) {
			return "", fmt.Errorf("chunk header begins with %q instead of %q", got, want)
		}
	}
	header, err := r.ReadString('\n')
	return strings.TrimSuffix(header, "\n"), err
}

// atBoundary tells an end between two messages from one inside a message.
func atBoundary(err error, before int) error {
	if errors.Is(err, io.EOF) && before > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// RPC sends an operation and returns the whole reply to it. Notifications that
// arrive before are kept.
func (s *Session) RPC(within time.Duration, operation string) (string, error) {
	s.lastID++
	id := strconv.Itoa(s.lastID)
	if err := s.Send(RPC(id, operation)); err != nil {
		return "", fmt.Errorf("sending %.60q: %w", operation, err)
	}
	deadline := time.Now().Add(within)
	for {
		message, err := s.Receive(time.Until(deadline))
		if err != nil {
			return message, fmt.Errorf("waiting for the reply to %.60q: %w", operation, err)
		}
		if strings.Contains(message[:min(len(message), 400)], "<notification") {
			s.Notifications = append(s.Notifications, message)
			continue
		}
		if !strings.Contains(message[:min(len(message), 1000)], `message-id="`+id+`"`) {
			return message, fmt.Errorf("reply to %.60q has another message-id: %.300q", operation, message)
		}
		return message, nil
	}
}

// RPC is an rpc document.
func RPC(id, operation string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><rpc xmlns="%s" message-id="%s">%s</rpc>`, BaseNamespace, id, operation)
}

// NotificationWithin returns the next notification.
func (s *Session) NotificationWithin(within time.Duration) (string, error) {
	if len(s.Notifications) > 0 {
		first := s.Notifications[0]
		s.Notifications = s.Notifications[1:]
		return first, nil
	}
	message, err := s.Receive(within)
	if err == nil && !strings.Contains(message, "<notification") {
		err = fmt.Errorf("not a notification: %.300q", message)
	}
	return message, err
}

// Ended waits for the end of the session and reports whether it came in time.
// What arrives before it is thrown away.
func (s *Session) Ended(within time.Duration) bool {
	deadline := time.Now().Add(within)
	for {
		_, err := s.Receive(time.Until(deadline))
		if errors.Is(err, ErrTimeout) {
			return false
		}
		if err != nil {
			return true
		}
	}
}

// settleTimeout is how long netconfd may take for an RPC that it has not lost.
const settleTimeout = 2 * time.Second

// Settle makes sure that the device has taken the hello. An RPC that netconfd
// reads together with the hello before it lies there until something else
// arrives: this sends that, where the first RPC is not answered.
func (s *Session) Settle() error {
	const nothing = `<get-config><source><running/></source><filter type="subtree"/></get-config>`
	_, err := s.RPC(settleTimeout, nothing)
	if !errors.Is(err, ErrTimeout) {
		return err
	}
	if err := s.Send(RPC("again", nothing)); err != nil {
		return err
	}
	for range 2 {
		if _, err := s.Receive(ReplyTimeout); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the stream without a word.
func (s *Session) Close() error { return s.rw.Close() }
