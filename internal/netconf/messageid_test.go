package netconf

import (
	"bytes"
	"encoding/xml"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// withID gives a document another message-id.
func withID(t *testing.T, doc, id string, cut func(io.Reader) io.Reader) string {
	t.Helper()
	head, err := check(doc)
	if err != nil {
		t.Fatal(err)
	}
	m := (&Message{Head: head, Size: int64(len(doc)), Body: cut(strings.NewReader(doc))}).WithID(id)
	got, err := io.ReadAll(m.Body)
	if err != nil || int64(len(got)) != m.Size {
		t.Fatalf("%s: read %q, %v; size %d", doc, got, err, m.Size)
	}
	return string(got)
}

func uncut(r io.Reader) io.Reader { return r }

func TestWithIDChangesTheValueOnly(t *testing.T) {
	const base = `xmlns="` + NamespaceBase + `"`
	for _, test := range []struct{ doc, want string }{
		{`<rpc ` + base + ` message-id="101"><get/></rpc>`, `<rpc ` + base + ` message-id="7"><get/></rpc>`},
		{`<rpc ` + base + ` message-id=""/>`, `<rpc ` + base + ` message-id="7"/>`},
		{`<rpc ` + base + ` message-id='"&lt;&#10;'/>`, `<rpc ` + base + ` message-id='7'/>`},
		{"<rpc\n" + base + "\n\tmessage-id\n= \"1\n2\"\n>\n</rpc>", "<rpc\n" + base + "\n\tmessage-id\n= \"7\"\n>\n</rpc>"},
		{`<n:rpc xmlns:n="` + NamespaceBase + `" n:message-id="1" message-id="2" z="3"/>`,
			`<n:rpc xmlns:n="` + NamespaceBase + `" n:message-id="1" message-id="7" z="3"/>`},
		{`<?p message-id="1"?><!-- <rpc message-id="1"> --><rpc a=' message-id="1"' ` + base + ` message-id="1"/><!-- message-id="1" -->`,
			`<?p message-id="1"?><!-- <rpc message-id="1"> --><rpc a=' message-id="1"' ` + base + ` message-id="7"/><!-- message-id="1" -->`},
		{`<rpc ` + base + ` message-id="` + strings.Repeat("x", 60<<10) + `"><get message-id="1"/></rpc>`,
			`<rpc ` + base + ` message-id="7"><get message-id="1"/></rpc>`},
		{`<rpc ` + base + `><get message-id="1"/></rpc>`, `<rpc ` + base + `><get message-id="1"/></rpc>`},
		{`<rpc ` + base + ` xmlns:x="u" x:message-id="1"/>`, `<rpc ` + base + ` xmlns:x="u" x:message-id="1"/>`},
	} {
		for _, cut := range []func(io.Reader) io.Reader{uncut, iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader} {
			if got := withID(t, test.doc, "7", cut); got != test.want {
				t.Errorf("%.200s: got %.200s", test.doc, got)
			}
		}
	}
}

func TestWithIDOfAReplyThatArrives(t *testing.T) {
	const doc = `<rpc-reply message-id="7" xmlns="` + NamespaceBase + `"><data>` + "1234567890</data></rpc-reply>"
	for _, framing := range []Framing{EndOfMessage, Chunked} {
		stream := doc + "]]>]]>"
		if framing == Chunked {
			stream = chunked(doc, 20)
		}
		r := NewReader(iotest.HalfReader(strings.NewReader(stream)))
		r.SetFraming(framing)
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(m.WithID(" \n<'\">&").Body))
		want := strings.Replace(doc, `"7"`, `" &#10;&lt;&apos;&quot;&gt;&amp;"`, 1)
		if err != nil || string(got) != want {
			t.Errorf("%v: got %s, %v", framing, got, err)
		}
	}
}

func TestWithIDOfABodyThatEndsEarly(t *testing.T) {
	const doc = `<rpc xmlns="` + NamespaceBase + `" message-id="101"/>`
	head, err := check(doc)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(doc) - len(`"/>`) {
		m := (&Message{Head: head, Size: -1, Body: strings.NewReader(doc[:n])}).WithID("7")
		if got, err := io.ReadAll(m.Body); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: read %q, %v", doc[:n], got, err)
		}
	}
}

func TestEchoable(t *testing.T) {
	for attributes, want := range map[string]bool{
		``: true,
		` message-id="` + strings.Repeat("&quot;", 8<<10) + `"`: true,
		` a="` + strings.Repeat("x", 2500) + `"`:                true,
		` a="` + strings.Repeat("x", 3<<10) + `"`:               false,
		` a='` + strings.Repeat(`"`, 600) + `'`:                 false,
		` a="` + strings.Repeat("é", 500) + `"`:                 false,
	} {
		head, err := check(`<rpc xmlns="` + NamespaceBase + `"` + attributes + `/>`)
		if err != nil || head.Echoable() != want {
			t.Errorf("%.40s: got %v, %v", attributes, head.Echoable(), err)
		}
	}
}

// FuzzWithID: the peer sees the new message-id and all else as it was; given
// its own back, it reads exactly that.
func FuzzWithID(f *testing.F) {
	for _, start := range []string{`<rpc message-id="1"`, `<rpc message-id=''`, "<!-- message-id=\"1\" --><rpc\n message-id = '\"&#13;&lt;\t'", `<rpc xmlns:x="u" x:message-id="1" message-id="&amp;lt;"`} {
		f.Add(start+` xmlns="`+NamespaceBase+`"><get a="b"/></rpc>`, "7", []byte{0, 3})
	}
	f.Fuzz(func(t *testing.T, doc, id string, cuts []byte) {
		head, err := check(doc)
		sound := func(id string) bool {
			var c charChecker
			_, ok := c.check([]byte(id))
			return ok && c.n == 0
		}
		if err != nil || !head.HasID || !sound(id) || len(id) > 4<<10 || len(doc) > 32<<10 {
			return
		}
		sent := withID(t, doc, id, func(r io.Reader) io.Reader { return cutReader(r, cuts) })
		seen, err := check(sent)
		if err != nil || seen.ID != id || seen.Op != head.Op || seen.Kind != head.Kind {
			t.Fatalf("%q became %q: %+v, %v", doc, sent, seen, err)
		}
		returned := withID(t, sent, head.ID, uncut)
		if back, err := check(returned); err != nil || back.ID != head.ID {
			t.Fatalf("%q came back as %q: %+v, %v", doc, returned, back, err)
		}
		if isASCII(doc) {
			want, got := tokensBut(t, doc), tokensBut(t, sent)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%q became %q", doc, sent)
			}
		}
	})
}

// tokensBut returns the tokens of a document, without the root's message-id.
func tokensBut(t *testing.T, doc string) []xml.Token {
	t.Helper()
	var tokens []xml.Token
	rooted := false
	for d := xml.NewDecoder(bytes.NewReader([]byte(doc))); ; {
		token, err := d.Token()
		if err == io.EOF {
			return tokens
		}
		if err != nil {
			t.Skip(err) // encoding/xml takes less than XML allows
		}
		token = xml.CopyToken(token)
		if start, ok := token.(xml.StartElement); ok && !rooted {
			rooted = true
			start.Attr = slices.DeleteFunc(start.Attr, func(a xml.Attr) bool { return a.Name == xml.Name{Local: "message-id"} })
			token = start
		}
		tokens = append(tokens, token)
	}
}
