package netconf

import (
	"bytes"
	"io"
	"testing"
)

// pipeEnd reads from one buffer and writes to another.
type pipeEnd struct {
	in, out *bytes.Buffer
	closed  bool
}

func (p *pipeEnd) Read(b []byte) (int, error)  { return p.in.Read(b) }
func (p *pipeEnd) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p *pipeEnd) Close() error                { p.closed = true; return nil }

func TestSession(t *testing.T) {
	var toServer, toClient bytes.Buffer
	end := &pipeEnd{in: &toServer, out: &toClient}
	client, server := NewConn(&pipeEnd{in: &toClient, out: &toServer}), NewConn(end)
	hello := &Hello{Capabilities: []string{CapabilityBase10, CapabilityBase11}, SessionID: 5}
	for _, c := range []*Conn{client, server} {
		if err := c.WriteDocument(hello.Document()); err != nil {
			t.Fatal(err)
		}
	}
	// The client does not wait: its rpc stands right behind its hello.
	client.Writer.SetFraming(Chunked)
	rpc := `<rpc message-id="1" xmlns="` + NamespaceBase + `"><!-- ]]>]]> --></rpc>`
	if err := client.WriteDocument([]byte(rpc)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Conn{client, server} {
		peer, err := ReadHello(c.Reader)
		if err != nil || peer.SessionID != 5 {
			t.Fatalf("got %+v, %v", peer, err)
		}
		framing, err := CommonFraming(hello, peer)
		if err != nil {
			t.Fatal(err)
		}
		c.SetFraming(framing)
	}
	m, err := server.Next()
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := io.ReadAll(m.Body); string(doc) != rpc || err != nil || m.Head.ID != "1" {
		t.Errorf("got %s, %+v, %v", doc, m.Head, err)
	}
	if err := server.Close(); err != nil || !end.closed {
		t.Errorf("not closed: %v", err)
	}
}
