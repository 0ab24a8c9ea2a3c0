package netconf

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// cutReader returns parts of the lengths that cuts gives, over and over.
func cutReader(r io.Reader, cuts []byte) io.Reader {
	i := 0
	return readerFunc(func(p []byte) (int, error) {
		if len(cuts) > 0 {
			p = p[:min(len(p), int(cuts[i%len(cuts)])+1)]
			i++
		}
		return r.Read(p)
	})
}

// FuzzReader: however a stream is cut into reads, the same messages come out,
// and they arrive again when they are written and read in either framing.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"<a/>]]>]]>", "\n<a/>\n]]>]]>]]>]]><b>]]></b>]]>]]>", "\n#4\n<a/>\n##\n", "\n\n#1\n<\n#3\na/>\n##\n\n##\n\n#1\nx"} {
		f.Add([]byte(s), []byte{0, 3}, false)
		f.Add([]byte(s), []byte{}, true)
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte, chunked bool) {
		framing := EndOfMessage
		if chunked {
			framing = Chunked
		}
		read := func(r io.Reader) ([]string, error) {
			reader := NewReader(r)
			reader.SetFraming(framing)
			return readAll(reader)
		}
		want, wantErr := read(bytes.NewReader(stream))
		got, err := read(iotest.DataErrReader(cutReader(bytes.NewReader(stream), cuts)))
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("whole: %q, %v\ncut: %q, %v", want, wantErr, got, err)
		}
		for _, framing := range []Framing{EndOfMessage, Chunked} {
			roundTrip(t, want, framing, cuts)
		}
	})
}

func roundTrip(t *testing.T, docs []string, framing Framing, cuts []byte) {
	var stream bytes.Buffer
	w := NewWriter(&stream)
	w.SetFraming(framing)
	var want []string
	for _, doc := range docs {
		w.err = nil // what is cut off is taken out of the stream again
		before := stream.Len()
		err := w.Write(&Message{Size: -1, Body: cutReader(strings.NewReader(doc), cuts)})
		if err == nil {
			want = append(want, doc)
		} else if stream.Truncate(before); framing == Chunked || err != ErrDelimiter {
			t.Fatalf("%v: writing %q: %v", framing, doc, err)
		}
	}
	r := NewReader(&stream)
	r.SetFraming(framing)
	got, err := readAll(r)
	if framing == EndOfMessage {
		// White space in front of a message is not kept in this framing.
		for i := range want {
			want[i] = string(trimSpace([]byte(want[i])))
		}
	}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v: wrote %q, read %q, %v", framing, want, got, err)
	}
}

// FuzzChecker: however a document is cut, the verdict is the same, and what
// passes is read by encoding/xml with the same root and operation.
func FuzzChecker(f *testing.F) {
	for _, doc := range wellFormedDocs {
		if len(doc) < 200 {
			f.Add(doc, []byte{0})
		}
	}
	for doc := range malformedDocs {
		if len(doc) < 200 {
			f.Add(doc, []byte{1, 4})
		}
	}
	f.Add(`<rpc xmlns="`+NamespaceBase+`"><kill-session><session-id>&#52;</session-id></kill-session></rpc>`, []byte{2})
	f.Fuzz(func(t *testing.T, doc string, cuts []byte) {
		want, wantErr := check(doc)
		c := NewChecker()
		_, _ = io.Copy(c, struct{ io.Reader }{cutReader(strings.NewReader(doc), cuts)})
		got, err := c.Finish()
		if got != want || (err == nil) != (wantErr == nil) {
			t.Fatalf("whole: %+v, %v\ncut: %+v, %v", want, wantErr, got, err)
		}
		if c.Delimiter() != strings.Contains(doc, "]]>]]>") && err == nil {
			t.Fatalf("delimiter: got %v", c.Delimiter())
		}
		// encoding/xml has the names of XML 1.0's fourth edition.
		if err == nil && isASCII(doc) {
			compare(t, doc, got)
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// compare reads a document that a Checker accepted with encoding/xml.
func compare(t *testing.T, doc string, head Head) {
	d := xml.NewDecoder(strings.NewReader(doc))
	var elements []xml.Name // root and operations
	for depth := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("encoding/xml says: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth++; depth <= 2 {
				elements = append(elements, token.Name)
			}
		case xml.EndElement:
			depth--
		}
	}
	if kind := kindOf(Name(elements[0])); kind != head.Kind {
		t.Fatalf("the kind is %v, not %v", kind, head.Kind)
	}
	if head.Kind == KindRPC && len(elements) > 1 && head.Op != Name(elements[1]) {
		t.Fatalf("the operation is %v, not %v", elements[1], head.Op)
	}
	if head.Kind == KindRPC && len(elements) > 2 && !head.Ambiguous {
		t.Fatalf("%d operations", len(elements)-1)
	}
	if head.Kind == KindRPC {
		compareReply(t, head)
	}
}

// compareReply checks that every rpc can be answered.
func compareReply(t *testing.T, head Head) {
	reply, err := check(string(ErrorReply(head, RPCError{Tag: "in-use", Message: head.ID})))
	if err != nil || reply.Kind != KindReply || reply.ID != head.ID || reply.HasID != head.HasID {
		t.Fatalf("reply %+v, %v", reply, err)
	}
}

// FuzzHello: a hello that is taken is taken again in every form that is made
// of it, and says the same.
func FuzzHello(f *testing.F) {
	f.Add([]byte(testHello))
	f.Add([]byte("<hello><capabilities/><session-id>1</session-id></hello>"))
	f.Add((&Hello{Capabilities: []string{CapabilityBase10}}).Document())
	f.Fuzz(func(t *testing.T, doc []byte) {
		h, err := ParseHello(doc)
		if err != nil {
			return
		}
		again, err := ParseHello(h.Document())
		if err != nil || !slices.Equal(again.Capabilities, h.Capabilities) || again.SessionID != h.SessionID {
			t.Fatalf("made %s: %v", h.Document(), err)
		}
		more, err := ParseHello(h.WithBase10())
		if err != nil || !more.Has(CapabilityBase10) || more.SessionID != h.SessionID {
			t.Fatalf("made %s: %v", h.WithBase10(), err)
		}
		for _, c := range h.Capabilities {
			if !slices.Contains(more.Capabilities, c) {
				t.Fatalf("%q is lost in %s", c, h.WithBase10())
			}
		}
	})
}
