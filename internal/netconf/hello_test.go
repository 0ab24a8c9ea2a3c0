package netconf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const testHello = `<?xml version="1.0" encoding="UTF-8"?>
<nc:hello xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0">
  <nc:capabilities>
    <nc:capability>
      urn:ietf:params:netconf:base:1.1
    </nc:capability>
    <nc:capability>urn:example:a?module=a&amp;revision=2020-01-01</nc:capability>
    <nc:capability/>
    <other><nc:capability>urn:not</nc:capability></other>
  </nc:capabilities>
  <nc:session-id> 4294967295 </nc:session-id>
</nc:hello>`

func TestParseHello(t *testing.T) {
	h, err := ReadHello(NewReader(strings.NewReader(testHello + "]]>]]>")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{CapabilityBase11, "urn:example:a?module=a&revision=2020-01-01"}
	if !slices.Equal(h.Capabilities, want) || h.SessionID != 4294967295 || string(h.Raw) != testHello {
		t.Errorf("got %+v", h)
	}
	for capability, want := range map[string]bool{
		CapabilityBase11: true, CapabilityBase10: false, "urn:example:a": true, "urn:example": false,
	} {
		if h.Has(capability) != want {
			t.Errorf("Has(%q) is not %v", capability, want)
		}
	}
}

func TestParseHelloOfAnOldDevice(t *testing.T) {
	h, err := ParseHello([]byte("<hello><capabilities><capability>a</capability></capabilities><session-id>1</session-id></hello>"))
	if err != nil || !slices.Equal(h.Capabilities, []string{"a"}) || h.SessionID != 1 {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestParseHelloRefuses(t *testing.T) {
	root := func(content string) string { return `<hello xmlns="` + NamespaceBase + `">` + content + "</hello>" }
	many := strings.Repeat("<capability>a</capability>", maxCapabilities+1)
	for name, doc := range map[string]string{
		"nothing":           "",
		"text":              "hello",
		"another root":      `<rpc xmlns="` + NamespaceBase + `"/>`,
		"another namespace": `<hello xmlns="urn:x"/>`,
		"half":              `<hello xmlns="` + NamespaceBase + `">`,
		"two roots":         root("") + root(""),
		"a DOCTYPE":         "<!DOCTYPE hello>" + root(""),
		"an entity":         root("&x;"),
		"session-id zero":   root("<session-id>0</session-id>"),
		"session-id text":   root("<session-id>x</session-id>"),
		"session-id large":  root("<session-id>4294967296</session-id>"),
		"session-id twice":  root("<session-id>1</session-id><session-id>1</session-id>"),
		"capabilities":      root("<capabilities>" + many + "</capabilities>"),
		"size":              root(strings.Repeat(" ", maxHelloSize)),
	} {
		if h, err := ParseHello([]byte(doc)); err == nil {
			t.Errorf("%s: got %+v", name, h)
		}
		if h, err := ReadHello(NewReader(strings.NewReader(doc + "]]>]]>"))); err == nil {
			t.Errorf("%s: read %+v", name, h)
		}
	}
}

func TestHelloDocument(t *testing.T) {
	for _, h := range []Hello{
		{},
		{Capabilities: []string{CapabilityBase10, "urn:x?a=<b>&c"}},
		{Capabilities: []string{CapabilityBase10}, SessionID: 7},
	} {
		got, err := ParseHello(h.Document())
		if err != nil || !slices.Equal(got.Capabilities, h.Capabilities) || got.SessionID != h.SessionID {
			t.Errorf("%+v became %s, %v", h, h.Document(), err)
		}
	}
}

func TestWithBase10(t *testing.T) {
	const b10, b11 = CapabilityBase10, CapabilityBase11
	for _, c := range []struct{ in, want string }{
		{"<hello><capabilities><capability>" + b10 + "</capability></capabilities></hello>", ""},
		{
			"<hello><!-- <capabilities> --><capabilities a='>'><capability>" + b11 + "</capability></capabilities></hello>",
			"<hello><!-- <capabilities> --><capabilities a='>'><capability>" + b10 + "</capability><capability>" + b11 + "</capability></capabilities></hello>",
		},
		{
			`<n:hello xmlns:n="` + NamespaceBase + `"><n:capabilities ><n:capability>` + b11 + `</n:capability></n:capabilities></n:hello>`,
			`<n:hello xmlns:n="` + NamespaceBase + `"><n:capabilities ><n:capability>` + b10 + `</n:capability><n:capability>` + b11 + `</n:capability></n:capabilities></n:hello>`,
		},
		{"<hello><capabilities /></hello>", "<hello><capabilities ><capability>" + b10 + "</capability></capabilities></hello>"},
	} {
		h, err := ParseHello([]byte(c.in))
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "" {
			c.want = c.in
		}
		if got := string(h.WithBase10()); got != c.want {
			t.Errorf("got %s", got)
		}
	}
	for _, h := range []Hello{{}, {Capabilities: []string{b11}, SessionID: 3}, {Capabilities: []string{b10}}} {
		got, err := ParseHello(h.WithBase10())
		if err != nil || !got.Has(b10) || got.SessionID != h.SessionID || got.Has(b11) != h.Has(b11) {
			t.Errorf("%+v became %+v, %v", h, got, err)
		}
	}
}

func TestCommonFraming(t *testing.T) {
	hello := func(versions ...string) *Hello {
		h := &Hello{}
		for _, v := range versions {
			h.Capabilities = append(h.Capabilities, "urn:ietf:params:netconf:base:"+v)
		}
		return h
	}
	for _, c := range []struct {
		a, b *Hello
		want string
	}{
		{hello("1.0"), hello("1.0"), "end-of-message"},
		{hello("1.1"), hello("1.1"), "chunked"},
		{hello("1.0", "1.1"), hello("1.0"), "end-of-message"},
		{hello("1.0", "1.1"), hello("1.1", "1.0"), "chunked"},
		{hello("1.0"), hello("1.1"), "error"},
		{hello(), hello("1.0"), "error"},
	} {
		for _, pair := range [][2]*Hello{{c.a, c.b}, {c.b, c.a}} {
			f, err := CommonFraming(pair[0], pair[1])
			got := fmt.Sprint(f)
			if err != nil {
				got = "error"
			}
			if got != c.want {
				t.Errorf("%v and %v: got %s", pair[0].Capabilities, pair[1].Capabilities, got)
			}
		}
	}
}
