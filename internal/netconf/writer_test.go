package netconf

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// record keeps each write.
type record struct {
	writes []string
	fail   error
}

func (r *record) Write(p []byte) (int, error) {
	if r.fail != nil {
		return 0, r.fail
	}
	r.writes = append(r.writes, string(p))
	return len(p), nil
}

func newTestWriter(f Framing) (*Writer, *record) {
	rec := &record{}
	w := NewWriter(rec)
	w.SetFraming(f)
	return w, rec
}

func TestWriteDocumentIsOneWrite(t *testing.T) {
	for framing, want := range map[Framing]string{EndOfMessage: "<a/>]]>]]>", Chunked: "\n#4\n<a/>\n##\n"} {
		w, rec := newTestWriter(framing)
		if err := w.WriteDocument([]byte("<a/>")); err != nil || !slices.Equal(rec.writes, []string{want}) {
			t.Errorf("%v: wrote %q, %v", framing, rec.writes, err)
		}
	}
}

func TestRelayedMessageIsOneWrite(t *testing.T) {
	r := NewReader(strings.NewReader("<a/>]]>]]>"))
	m, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	w, rec := newTestWriter(Chunked)
	if err := w.Write(m); err != nil || !slices.Equal(rec.writes, []string{"\n#4\n<a/>\n##\n"}) {
		t.Errorf("wrote %q, %v", rec.writes, err)
	}
}

func TestWriteWritesWhatItRead(t *testing.T) {
	parts := func() io.Reader {
		return io.MultiReader(strings.NewReader("<a>"), strings.NewReader("]]>]]"), strings.NewReader("</a>"))
	}
	for framing, want := range map[Framing][]string{
		EndOfMessage: {"<a>", "]]>]]", "</a>", "]]>]]>"},
		Chunked:      {"\n#3\n<a>", "\n#5\n]]>]]", "\n#4\n</a>", "\n##\n"},
	} {
		w, rec := newTestWriter(framing)
		if err := w.Write(&Message{Size: -1, Body: parts()}); err != nil || !slices.Equal(rec.writes, want) {
			t.Errorf("%v: wrote %q, %v", framing, rec.writes, err)
		}
		w, rec = newTestWriter(framing)
		want = append(slices.Clone(want[:2]), want[2]+want[3])
		if err := w.Write(&Message{Size: 12, Body: parts()}); err != nil || !slices.Equal(rec.writes, want) {
			t.Errorf("%v with size: wrote %q, %v", framing, rec.writes, err)
		}
	}
}

func TestWritesFitIntoAPacket(t *testing.T) {
	doc := strings.Repeat("x", 1<<20)
	for _, framing := range []Framing{EndOfMessage, Chunked} {
		w, rec := newTestWriter(framing)
		if err := w.WriteDocument([]byte(doc)); err != nil {
			t.Fatal(err)
		}
		for _, p := range rec.writes {
			if len(p) > pieceSize {
				t.Errorf("%v: a write of %d bytes", framing, len(p))
			}
		}
		r := NewReader(strings.NewReader(strings.Join(rec.writes, "")))
		r.SetFraming(framing)
		if got, err := readAll(r); err != nil || !slices.Equal(got, []string{doc}) {
			t.Errorf("%v: read back %d documents, %v", framing, len(got), err)
		}
	}
}

func TestWriterRefusesDelimiter(t *testing.T) {
	for _, c := range []struct {
		doc   string
		whole bool
	}{
		{"<a>]]>]]></a>", false},
		{"]]>]]>", false},
		{"<a>]]]]>]]></a>", false},
		{"<a>]]>", false}, // the delimiter would begin too early
		{"<a>]]>]]", true},
		{"<a>]", true},
		{"<a>]]", true},
		{"<a>]]>]", true},
		{"<a>]]>]x]></a>", true},
	} {
		for how, split := range splits {
			w, rec := newTestWriter(EndOfMessage)
			err := w.Write(&Message{Size: -1, Body: split(strings.NewReader(c.doc))})
			out := strings.Join(rec.writes, "")
			if c.whole && (err != nil || out != c.doc+"]]>]]>") {
				t.Errorf("%q, %s: wrote %q, %v", c.doc, how, out, err)
			}
			if !c.whole && (err != ErrDelimiter || strings.Contains(out, "]]>]]>")) {
				t.Errorf("%q, %s: wrote %q, %v", c.doc, how, out, err)
			}
			w, _ = newTestWriter(Chunked)
			if err := w.Write(&Message{Size: -1, Body: split(strings.NewReader(c.doc))}); err != nil {
				t.Errorf("%q, %s, chunked: %v", c.doc, how, err)
			}
		}
	}
}

func TestWriterAfterAnError(t *testing.T) {
	broken := errors.New("gone")
	w, _ := newTestWriter(Chunked)
	if err := w.WriteDocument(nil); err != ErrEmpty {
		t.Errorf("empty document: %v", err)
	}
	err := w.Write(&Message{Body: iotest.ErrReader(broken)})
	if !errors.Is(err, broken) || !errors.As(err, new(*BodyError)) {
		t.Errorf("broken body: %v", err)
	}
	if err := w.WriteDocument([]byte("x")); err != nil {
		t.Errorf("nothing was written before, but: %v", err)
	}
	err = w.Write(&Message{Body: io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken))})
	if !errors.As(err, new(*BodyError)) {
		t.Errorf("body that breaks off: %v", err)
	}
	if err := w.WriteDocument([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("after half a message: %v", err)
	}
	rec := &record{fail: broken}
	w = NewWriter(rec)
	if err := w.WriteDocument([]byte("x")); err != broken {
		t.Errorf("broken stream: %v", err)
	}
	if err := w.WriteDocument([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("broken stream, again: %v", err)
	}
}
