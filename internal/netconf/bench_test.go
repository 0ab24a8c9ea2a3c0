package netconf

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

func BenchmarkChecker(b *testing.B) {
	for name, text := range map[string]string{
		"text":   "<a>" + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20_000) + "</a>",
		"config": sampleReply(4000),
		"tags":   "<a>" + strings.Repeat("<b/>", 200_000) + "</a>",
		"utf-8":  "<a>" + strings.Repeat("ネットワーク ", 50_000) + "</a>",
	} {
		b.Run(name, func(b *testing.B) {
			c, doc := NewChecker(), []byte(text)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				c.Reset()
				for part := range slices.Chunk(doc, pieceSize) {
					if _, err := c.Write(part); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := c.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRelay carries a large message from a Reader to a Writer.
func BenchmarkRelay(b *testing.B) {
	doc := sampleReply(20_000)
	for _, in := range []Framing{EndOfMessage, Chunked} {
		var stream bytes.Buffer
		w := NewWriter(&stream)
		w.SetFraming(in)
		if err := w.WriteDocument([]byte(doc)); err != nil {
			b.Fatal(err)
		}
		for _, out := range []Framing{EndOfMessage, Chunked} {
			b.Run(in.String()+" to "+out.String(), func(b *testing.B) {
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					relayOnce(b, stream.Bytes(), in, out)
				}
			})
		}
	}
}

func relayOnce(b *testing.B, stream []byte, in, out Framing) {
	r, w := NewReader(bytes.NewReader(stream)), NewWriter(io.Discard)
	r.SetFraming(in)
	w.SetFraming(out)
	m, err := r.Next()
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Write(m); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSmallRPC carries small messages, as most are.
func BenchmarkSmallRPC(b *testing.B) {
	rpc := `<rpc xmlns="` + NamespaceBase + `" message-id="1"><get-config><source><running/></source></get-config></rpc>`
	stream := []byte(chunked(rpc, len(rpc)))
	src := bytes.NewReader(nil)
	r, w := NewReader(readerFunc(func(p []byte) (int, error) {
		if src.Len() == 0 {
			src.Reset(stream)
		}
		return src.Read(p)
	})), NewWriter(io.Discard)
	r.SetFraming(Chunked)
	w.SetFraming(Chunked)
	b.ReportAllocs()
	for b.Loop() {
		m, err := r.Next()
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Write(m); err != nil {
			b.Fatal(err)
		}
	}
}
