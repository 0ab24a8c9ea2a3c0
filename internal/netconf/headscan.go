package netconf

import (
	"bytes"
	"encoding/xml"
)

// headScanner finds the root element's start tag.
type headScanner struct {
	doc   []byte
	found Head
	over  bool
}

func newHeadScanner() *headScanner { return &headScanner{} }

func (s *headScanner) free() {}

func (s *headScanner) reset() *headScanner { *s = headScanner{}; return s }

func (s *headScanner) known() bool { return s.over }

func (s *headScanner) head() Head { return s.found }

func (s *headScanner) write(p []byte) {
	s.doc = append(s.doc, p...)
	d := xml.NewDecoder(bytes.NewReader(s.doc))
	for {
		t, err := d.Token()
		if err != nil {
			return
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		s.over = true
		s.found.Kind = kindOf(Name{start.Name.Space, start.Name.Local})
		for _, a := range start.Attr {
			if a.Name.Space == "" && a.Name.Local == "message-id" {
				s.found.ID, s.found.HasID = a.Value, true
			}
		}
		return
	}
}

func kindOf(n Name) Kind {
	switch n {
	case Name{NamespaceBase, "hello"}:
		return KindHello
	case Name{NamespaceBase, "rpc"}:
		return KindRPC
	case Name{NamespaceBase, "rpc-reply"}:
		return KindReply
	case Name{NamespaceNotification, "notification"}:
		return KindNotification
	}
	return KindOther
}
