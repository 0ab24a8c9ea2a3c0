package bench

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"callhome-gateway/tests/harness"

	"golang.org/x/crypto/ssh"
)

// patience bounds every wait: for 2,000 devices, and for 256 MiB.
const patience = 2 * time.Minute

// manager reads as fast as it can, and parses nothing: it measures the way to
// the device, not itself. It speaks base:1.1 and has one RPC outstanding.
type manager struct {
	stream io.ReadWriter
	close  func()
	buf    []byte
}

// readSize is what a manager reads at once.
const readSize = 256 << 10

// The ends of a message in the two framings (RFC 6242 section 4).
var (
	endOfMessage = []byte(harness.EndOfMessage)
	endOfChunks  = []byte("\n##\n")
)

// connect logs in, opens a NETCONF session, and fails the benchmark if it cannot.
func connect(b *testing.B, target harness.Target) *manager {
	b.Helper()
	m, err := tryConnect(target)
	if err != nil {
		b.Fatalf("connecting to %s: %v", target.Address, err)
	}
	b.Cleanup(m.close)
	return m
}

func tryConnect(target harness.Target) (*manager, error) {
	client, err := harness.TryDial(target)
	if err != nil {
		return nil, err
	}
	channel, err := openChannel(client)
	if err != nil {
		client.Close()
		return nil, err
	}
	return open(channel, func() { client.Close() })
}

func openChannel(client *ssh.Client) (ssh.Channel, error) {
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		return nil, err
	}
	go ssh.DiscardRequests(requests) // ends with the connection
	if ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"netconf"})); err != nil || !ok {
		return nil, fmt.Errorf("requesting the subsystem: %v %w", ok, err)
	}
	return channel, nil
}

// connectTLS is connect over TLS.
func connectTLS(b *testing.B, target harness.TLSTarget) *manager {
	b.Helper()
	conn, err := harness.TryDialTLS(target)
	if err != nil {
		b.Fatalf("connecting to %s: %v", target.Address, err)
	}
	m, err := open(conn, func() { conn.Close() })
	if err != nil {
		b.Fatalf("opening a session at %s: %v", target.Address, err)
	}
	b.Cleanup(m.close)
	return m
}

// open exchanges hellos. It closes the stream when it fails.
func open(stream io.ReadWriter, closeStream func()) (*manager, error) {
	m := &manager{stream: stream, close: closeStream, buf: make([]byte, readSize)}
	_, err := stream.Write([]byte(harness.Hello(harness.Base11) + harness.EndOfMessage))
	if err == nil {
		_, err = m.readTo(endOfMessage)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// request is an rpc in chunked framing.
func request(operation string) []byte {
	document := harness.RPC("1", operation)
	return fmt.Appendf(nil, "\n#%d\n%s\n##\n", len(document), document)
}

// exchange sends a request, reads the reply, and returns its length, framing
// included.
func (m *manager) exchange(request []byte) (int, error) {
	late := time.AfterFunc(patience, m.close)
	defer late.Stop()
	if _, err := m.stream.Write(request); err != nil {
		return 0, err
	}
	return m.readTo(endOfChunks)
}

// readTo reads until what has arrived ends with end, as it does between two
// messages when nothing else is outstanding.
func (m *manager) readTo(end []byte) (total int, err error) {
	kept := 0 // the last bytes of the read before stay in front of the next
	for {
		n, err := m.stream.Read(m.buf[kept:])
		if err != nil {
			return total, err
		}
		total += n
		have := m.buf[:kept+n]
		if bytes.HasSuffix(have, end) {
			return total, nil
		}
		kept = copy(m.buf, have[max(0, len(have)-len(end)):])
	}
}
