package gateway

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
)

// FuzzAccess: whatever bytes a manager that may only read sends, in whatever
// pieces, all that arrives at the device is an rpc that only reads, as
// encoding/xml sees it.
func FuzzAccess(f *testing.F) {
	for _, operations := range [][]string{permitted, keysOf(withheld)} {
		for i, operation := range operations {
			if len(operation) < 1000 {
				f.Add(rpc(i, operation)+"]]>]]>"+rpc(i, "<get/>")+"]]>]]>", []byte{3, 0}, false, false)
				f.Add(chunk(rpc(i, operation))+chunk(rpc(i, "<commit/>")), []byte{}, true, true)
			}
		}
	}
	f.Fuzz(func(t *testing.T, sent string, cuts []byte, manager, device bool) {
		for _, document := range arrives(t, sent, cuts, framingOf(manager), framingOf(device)) {
			if isASCII(document) { // encoding/xml has the names of XML 1.0's fourth edition
				mustOnlyRead(t, document)
			}
		}
	})
}

func keysOf(m map[string]string) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

func chunk(doc string) string { return fmt.Sprintf("\n#%d\n%s\n##\n", len(doc), doc) }

func framingOf(isChunked bool) netconf.Framing {
	if isChunked {
		return chunked
	}
	return simple
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// arrives returns what comes through a relay of the bytes that the manager sends
// behind its hello.
func arrives(t *testing.T, sent string, cuts []byte, manager, device netconf.Framing) (documents []string) {
	r := newRig(t, Options{}, device).open(manager)
	r.allowed.current.Store(&auth.Access{ReadOnly: true})
	r.async(func() {
		defer r.wire.CloseWrite()
		for i := 0; len(sent) > 0; i++ {
			n := len(sent)
			if len(cuts) > 0 {
				n = min(n, int(cuts[i%len(cuts)])+1)
			}
			if _, err := io.WriteString(r.wire, sent[:n]); err != nil {
				return
			}
			sent = sent[n:]
		}
	})
	answered := r.async(func() {
		defer r.device.Close()
		for {
			doc, err := tryRead(r.device)
			if err != nil {
				return
			}
			documents = append(documents, doc)
			if r.device.WriteDocument([]byte(reply(1, "<ok/>"))) != nil {
				return
			}
		}
	})
	for {
		if _, err := tryRead(r.manager); err != nil {
			break
		}
	}
	r.end()
	answered()
	return documents
}

// mustOnlyRead fails the test unless the document is an rpc with one operation,
// one that only reads.
func mustOnlyRead(t *testing.T, document string) {
	access := &auth.Access{ReadOnly: true}
	d := xml.NewDecoder(strings.NewReader(document))
	var path []xml.Name
	operations := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("encoding/xml says of %q: %v", document, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name)
			switch {
			case strings.HasSuffix(token.Name.Space, "/XInclude"):
				t.Fatalf("something is included in %q", document)
			case len(path) == 1 && token.Name != xml.Name{Space: netconf.NamespaceBase, Local: "rpc"}:
				t.Fatalf("the root of %q is %v", document, token.Name)
			case len(path) == 2:
				operations++
				if !access.Permits(auth.Operation{Namespace: token.Name.Space, Name: token.Name.Local}, "") {
					t.Fatalf("%q does %v", document, token.Name)
				}
			case len(path) == 4 && path[1].Local == "get-config" && path[2].Local == "source" && token.Name.Local == "url":
				t.Fatalf("%q fetches", document)
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
	if operations != 1 {
		t.Fatalf("%q has %d operations", document, operations)
	}
}
