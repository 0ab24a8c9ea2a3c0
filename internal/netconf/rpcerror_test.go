package netconf

import (
	"encoding/xml"
	"testing"
)

// reply is what encoding/xml makes of an rpc-reply.
type reply struct {
	XMLName xml.Name
	ID      *string   `xml:"message-id,attr"`
	OK      *struct{} `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 ok"`
	Errors  []struct {
		Type     string `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 error-type"`
		Tag      string `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 error-tag"`
		Severity string `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 error-severity"`
		AppTag   string `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 error-app-tag"`
		Path     string `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 error-path"`
		Message  string `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 error-message"`
		Info     struct {
			BadElement string `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 bad-element"`
		} `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 error-info"`
	} `xml:"urn:ietf:params:xml:ns:netconf:base:1.0 rpc-error"`
}

func parseReply(t *testing.T, doc []byte) reply {
	t.Helper()
	var r reply
	if err := xml.Unmarshal(doc, &r); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	if want := (xml.Name{Space: NamespaceBase, Local: "rpc-reply"}); r.XMLName != want {
		t.Fatalf("root %v in %s", r.XMLName, doc)
	}
	return r
}

func TestErrorReply(t *testing.T) {
	h := Head{
		Kind: KindRPC, ID: "1", HasID: true, prefix: "nc:",
		Attributes: ` xmlns:nc="` + NamespaceBase + `" xmlns="urn:other" message-id="1" nc:x='"'`,
	}
	r := parseReply(t, ErrorReply(h,
		RPCError{Type: "rpc", Tag: "bad-element", AppTag: "<x>", Path: "/a[b='c']", Message: "a < b & \x00", Info: "<bad-element>foo</bad-element>"},
		RPCError{Tag: "in-use"},
	))
	if *r.ID != "1" || len(r.Errors) != 2 {
		t.Fatalf("got %+v", r)
	}
	e := r.Errors[0]
	if e.Type != "rpc" || e.Tag != "bad-element" || e.Severity != "error" || e.AppTag != "<x>" || e.Path != "/a[b='c']" ||
		e.Message != "a < b & \uFFFD" || e.Info.BadElement != "foo" {
		t.Errorf("got %+v", e)
	}
	if e := r.Errors[1]; e.Type != "application" || e.Tag != "in-use" {
		t.Errorf("got %+v", e)
	}
}

func TestRepliesWithoutAttributes(t *testing.T) {
	for _, c := range []struct {
		head Head
		id   string
	}{
		{Head{}, ""},
		{Head{Kind: KindHello, Attributes: ` a="b"`, ID: "1", HasID: true}, ""},
		{Head{Kind: KindRPC, ID: `"<`, HasID: true}, `"<`},
	} {
		r := parseReply(t, OKReply(c.head))
		if r.OK == nil || c.id == "" && r.ID != nil || c.id != "" && *r.ID != c.id {
			t.Errorf("%+v: got %+v", c.head, r)
		}
	}
}
