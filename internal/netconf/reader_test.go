package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// chunked frames a document in chunks of the given size.
func chunked(doc string, size int) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(doc), size) {
		fmt.Fprintf(&b, "\n#%d\n%s", len(part), part)
	}
	return b.String() + "\n##\n"
}

// readAll returns the bodies of all messages up to the end of the stream.
func readAll(r *Reader) ([]string, error) {
	var docs []string
	for {
		m, err := r.Next()
		if err == io.EOF {
			return docs, nil
		}
		if err != nil {
			return docs, err
		}
		doc, err := io.ReadAll(m.Body)
		if err != nil {
			return docs, err
		}
		if m.Size >= 0 && int(m.Size) != len(doc) {
			return docs, fmt.Errorf("size %d of a document of %d bytes", m.Size, len(doc))
		}
		docs = append(docs, string(doc))
	}
}

// splits are ways in which the same bytes may arrive.
var splits = map[string]func(io.Reader) io.Reader{
	"whole":      func(r io.Reader) io.Reader { return r },
	"bytes":      iotest.OneByteReader,
	"halves":     iotest.HalfReader,
	"early EOF":  iotest.DataErrReader,
	"byte + EOF": func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
}

func TestReaderFindsMessages(t *testing.T) {
	large := "<a>" + strings.Repeat("]]>x", 50_000) + "</a>"
	for name, c := range map[string]struct {
		framing Framing
		in      string
		want    []string
	}{
		"nothing":                {EndOfMessage, "", nil},
		"one":                    {EndOfMessage, "<a/>]]>]]>", []string{"<a/>"}},
		"two":                    {EndOfMessage, "<a/>]]>]]><b/>]]>]]>", []string{"<a/>", "<b/>"}},
		"newline after":          {EndOfMessage, "<a/>]]>]]>\r\n<b/>]]>]]>\n", []string{"<a/>", "<b/>"}},
		"newline before":         {EndOfMessage, "<a/>\n]]>]]>", []string{"<a/>\n"}},
		"empty dropped":          {EndOfMessage, "]]>]]> \n\t]]>]]><a/>]]>]]>]]>]]>", []string{"<a/>"}},
		"almost a delimiter":     {EndOfMessage, "a]]>]]]]>]]>", []string{"a]]>]]"}},
		"not XML":                {EndOfMessage, "hello]]>]]>", []string{"hello"}},
		"large":                  {EndOfMessage, large + "]]>]]>" + large + "]]>]]>", []string{large, large}},
		"chunk":                  {Chunked, chunked("<a/>", 10), []string{"<a/>"}},
		"chunks":                 {Chunked, chunked("<a/>", 1) + chunked("<b/>", 2), []string{"<a/>", "<b/>"}},
		"chunks with delimiter":  {Chunked, chunked("<a>]]>]]>\n##\n</a>", 3), []string{"<a>]]>]]>\n##\n</a>"}},
		"empty chunked dropped":  {Chunked, "\n##\n" + chunked(" \n", 1) + chunked("<a/>", 4), []string{"<a/>"}},
		"space dropped":          {Chunked, chunked(strings.Repeat(" ", 9000), 4000), nil},
		"space in chunk kept":    {Chunked, chunked("\n<a/>", 1), []string{"\n<a/>"}},
		"extra line feed":        {Chunked, "\n" + chunked("<a/>", 4), []string{"<a/>"}},
		"extra line feeds":       {Chunked, "\r\n\n" + chunked("<a/>", 4) + "\n", []string{"<a/>"}},
		"large chunks":           {Chunked, chunked(large, 70_000), []string{large}},
		"large in small chunks":  {Chunked, chunked(large, 13), []string{large}},
		"large in middle chunks": {Chunked, chunked(large, 5000), []string{large}},
	} {
		for how, split := range splits {
			r := NewReader(split(strings.NewReader(c.in)))
			r.SetFraming(c.framing)
			got, err := readAll(r)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: got %.200q, %v", name, how, got, err)
			}
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		framing Framing
		in      string
		want    error
	}{
		"end inside":            {EndOfMessage, "<a/>", io.ErrUnexpectedEOF},
		"end in a delimiter":    {EndOfMessage, "<a/>]]>]]", io.ErrUnexpectedEOF},
		"end in a header":       {Chunked, "\n#", io.ErrUnexpectedEOF},
		"end in a chunk":        {Chunked, "\n#5\n<a/>", io.ErrUnexpectedEOF},
		"end without ##":        {Chunked, "\n#4\n<a/>", io.ErrUnexpectedEOF},
		"no chunk":              {Chunked, "<a/>", &FramingError{}},
		"second line feed":      {Chunked, chunked("<a/>", 4) + "\n" + chunked("<a/>", 4), &FramingError{}},
		"second message broken": {Chunked, chunked("<a/>", 4) + "x\n", &FramingError{}},
		"chunk too short":       {Chunked, "\n#3\n<a/>\n##\n", &FramingError{}},
		"chunk too long":        {Chunked, "\n#5\n<a/>\n##\n", &FramingError{}},
		"size zero":             {Chunked, "\n#0\n\n##\n", &FramingError{}},
		"size too large":        {Chunked, "\n#4294967296\n", &FramingError{}},
	} {
		for how, split := range splits {
			r := NewReader(split(strings.NewReader(c.in)))
			r.SetFraming(c.framing)
			_, err := readAll(r)
			if _, framing := c.want.(*FramingError); framing {
				if errors.As(err, new(*FramingError)) {
					continue
				}
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: got %v, want %T", name, how, err, c.want)
			}
		}
	}
}

func TestReaderPassesOnErrorsOfTheStream(t *testing.T) {
	broken := errors.New("reset")
	for _, in := range []string{"", "<a/>", "<a/>]]>]]>"} {
		r := NewReader(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)))
		if _, err := readAll(r); err != broken {
			t.Errorf("%q: got %v", in, err)
		}
	}
	if _, err := NewReader(idleReader{}).Next(); err != io.ErrNoProgress {
		t.Errorf("got %v from a source that returns nothing", err)
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func TestReaderSwitchesFramingBehindHello(t *testing.T) {
	for _, gap := range []string{"", "\n", "\r\n"} {
		for how, split := range splits {
			r := NewReader(split(strings.NewReader("<hello/>]]>]]>" + gap + chunked("<rpc/>", 2))))
			m, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, m.Body); err != nil {
				t.Fatal(err)
			}
			r.SetFraming(Chunked)
			if got, err := readAll(r); err != nil || !slices.Equal(got, []string{"<rpc/>"}) {
				t.Errorf("gap %q, %s: got %q, %v", gap, how, got, err)
			}
		}
	}
}

func TestNextSkipsTheRest(t *testing.T) {
	large := "<a>" + strings.Repeat("x", 100_000) + "</a>"
	r := NewReader(strings.NewReader(large + "]]>]]><b/>]]>]]>"))
	first, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	second, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Body.Read(make([]byte, 10)); err != errStale {
		t.Errorf("a stale body returned %v", err)
	}
	if doc, err := io.ReadAll(second.Body); string(doc) != "<b/>" || err != nil {
		t.Errorf("got %q, %v", doc, err)
	}
}

// stepReader returns one part per Read, and fails the test if it is asked for
// more than there is: a reader that waits too early would block there.
type stepReader struct {
	t     *testing.T
	parts []string
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.parts) == 0 {
		s.t.Fatal("waits although everything has arrived")
	}
	n := copy(p, s.parts[0])
	if s.parts[0] = s.parts[0][n:]; s.parts[0] == "" {
		s.parts = s.parts[1:]
	}
	return n, nil
}

func TestBodyDoesNotWait(t *testing.T) {
	for name, c := range map[string]struct {
		framing Framing
		parts   []string
	}{
		"delimited": {EndOfMessage, []string{"<a>", "one", "two]]>]]>"}},
		"chunked":   {Chunked, []string{"\n#3\n<a>", "\n#3\none", "\n#3\ntwo\n##\n"}},
	} {
		src := &stepReader{t, c.parts}
		r := NewReader(src)
		r.SetFraming(c.framing)
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 8192)
		for i, want := range []string{"<a>", "one", "two"} {
			n, err := m.Body.Read(buf)
			if string(buf[:n]) != want {
				t.Errorf("%s: got %q, want %q", name, buf[:n], want)
			}
			if last := i == 2; last != (err == io.EOF) {
				t.Errorf("%s: %v after %q", name, err, want)
			}
		}
	}
}

func TestNextReturnsAtTheRootTag(t *testing.T) {
	r := NewReader(&stepReader{t, []string{`<rpc message-id="7" `, `xmlns="` + NamespaceBase + `">`}})
	m, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Head{Kind: KindRPC, ID: "7", HasID: true}); placeless(m.Head) != want || m.Size != -1 {
		t.Errorf("got %+v, size %d", m.Head, m.Size)
	}
}

func TestReaderHeads(t *testing.T) {
	base, note := ` xmlns="`+NamespaceBase+`"`, ` xmlns="`+NamespaceNotification+`"`
	for in, want := range map[string]Head{
		`<hello` + base + `/>`:                                         {Kind: KindHello},
		`<rpc-reply` + base + ` message-id="1">`:                       {Kind: KindReply, ID: "1", HasID: true},
		`<rpc-reply` + base + ` message-id=''>`:                        {Kind: KindReply, HasID: true},
		`<rpc-reply` + base + ` message-id='&lt;&#x41;"'/>`:            {Kind: KindReply, ID: `<A"`, HasID: true},
		`<n:rpc-reply xmlns:n="` + NamespaceBase + `" message-id="1">`: {Kind: KindReply, ID: "1", HasID: true},
		`<rpc-reply xmlns:n="` + NamespaceBase + `" message-id="1">`:   {ID: "1", HasID: true},
		`<rpc-reply message-id="1">`:                                   {ID: "1", HasID: true},
		`<notification` + note + `>`:                                   {Kind: KindNotification},
		`<notification` + base + `>`:                                   {},
		"<?xml version='1.0'?>\n<!-- <x> --><?p q?><rpc" + base + ">":  {Kind: KindRPC},
		`no XML`: {},
		`<`:      {},
		`<!--` + strings.Repeat(" ", headSize) + `--><rpc` + base + `>`: {},
	} {
		for _, framing := range []Framing{EndOfMessage, Chunked} {
			stream := in + "]]>]]>"
			if framing == Chunked {
				stream = chunked(in, 7)
			}
			r := NewReader(iotest.OneByteReader(strings.NewReader(stream)))
			r.SetFraming(framing)
			m, err := r.Next()
			if err != nil || placeless(m.Head) != want {
				t.Errorf("%.100s: got %+v, %v", in, m, err)
			}
		}
	}
}

func TestReaderKeepsLittleWhileItWaits(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	src := io.MultiReader(strings.NewReader(large+"]]>]]>"), readerFunc(func(p []byte) (int, error) {
		if len(p) > idleSize {
			t.Errorf("waits with a buffer of %d bytes", len(p))
		}
		return 0, io.EOF
	}))
	r := NewReader(src)
	if got, err := readAll(r); err != nil || !slices.Equal(got, []string{large}) {
		t.Errorf("got %d documents, %v", len(got), err)
	}
	if r.large != nil {
		t.Error("holds a large buffer")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestBodyWriteTo(t *testing.T) {
	large := "<a>" + strings.Repeat("x", 100_000) + "</a>"
	r := NewReader(strings.NewReader(large + "]]>]]>"))
	m, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := m.Body.(io.WriterTo).WriteTo(&b); err != nil || n != int64(len(large)) || b.String() != large {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
}
