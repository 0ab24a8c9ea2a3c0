package netconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// check gives a document to a Checker in parts.
func check(parts ...string) (Head, error) {
	return checkWith(NewChecker(), parts...)
}

func checkWith(c *Checker, parts ...string) (Head, error) {
	for _, p := range parts {
		if _, err := c.Write([]byte(p)); err != nil {
			break
		}
	}
	return c.Finish()
}

// eachSplit calls f with doc in two parts, for every place to cut a document
// of moderate size, and in single bytes.
func eachSplit(doc string, f func(how string, parts ...string)) {
	f("whole", doc)
	f("characters", strings.Split(doc, "")...)
	var single []string
	for i := range len(doc) {
		single = append(single, doc[i:i+1])
		if i > 0 && len(doc) < 1000 {
			f(fmt.Sprintf("cut at %d", i), doc[:i], doc[i:])
		}
	}
	f("single bytes", single...)
}

func nested(depth int) string {
	return strings.Repeat("<a>", depth) + strings.Repeat("</a>", depth)
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

var wellFormedDocs = []string{
	// Elements.
	`<a/>`, `<a />`, `<a></a>`, "<a\n></a\t\r\n >", `<a><b/><b></b></a>`, `<a.b-c_1/>`, `<_/>`, `<é/>`, `<名·/>`, "<\U00010000/>",
	nested(maxDepth),
	"<" + strings.Repeat("a", maxName) + "/>",
	// Prolog and epilog.
	"\n<a/>", "<a/>\r\n\t ", `<!-- --><a/><!---->`, `<?p?><a/><?p q?>`,
	`<?xml version="1.0"?><a/>`, `<?xml version='1.0' encoding='utf-8'?><a/>`, `<?xml version = "1.0" encoding = "UTF-8" standalone = "no" ?> <a/>`,
	`<?xml version="1.0" standalone="yes"?><a/>`,
	// Attributes.
	`<a b="" c='"' d="'>/"/>`, "<a b\n=\r'\t\n'\n/>", `<a b="&lt;&gt;&amp;&apos;&quot;&#10;&#x10FFFF;"/>`, `<a b="]]>"/>`, `<a é="é"/>`,
	`<a xml:lang="en" xml:b=""/>`,
	`<a ` + numbered(maxAttrs, ` a%d=""`) + `/>`,
	`<a b="` + strings.Repeat("x", 65000) + `"/>`,
	`<a b="` + strings.Repeat(">", 65000) + `"/>`,
	// Namespaces.
	`<a xmlns="u"/>`, `<p:a xmlns:p="u" p:b="" b=""/>`, `<a xmlns="u"><b xmlns=""/></a>`, `<p:a xmlns:p="u"><p:b xmlns:p="v"/><p:c/></p:a>`,
	`<xml:a/>`, `<a xmlns:xml="http://www.w3.org/XML/1998/namespace"/>`, `<a xmlns:p="u" xmlns:q="u" p:b="" q:c=""/>`,
	`<a xmlns="http://[::1]:80/a-b._~%20?c=d&amp;e=(f)!$*+,;'@#g"/>`,
	`<a` + numbered(maxBindings, ` xmlns:p%d="u"`) + `/>`,
	`<xmlns/>`, `<a xmlnsb=""/>`, `<a xmlns:p="u" p:xmlns="x" xmlns="u"/>`,
	// Text.
	`<a>x</a>`, "<a>\t\r\n \x7f\u0085\u00a0é名\U0001F600\uFFFD\uE000</a>", `<a>></a>`, `<a>]</a>`, `<a>]]</a>`, `<a>]]]x></a>`, `<a>]>]></a>`, `<a>"'</a>`,
	`<a>&lt;&gt;&amp;&apos;&quot;</a>`, `<a>&#9;&#x9;&#x0000000041;&#xe000;&#xD7FF;&#1114111;</a>`, `<a>]]&gt;</a>`, `<a>]]<!-- -->></a>`, `<a>]]&#93;></a>`,
	// CDATA, comments, processing instructions.
	`<a><![CDATA[]]></a>`, `<a><![CDATA[<b>&x;</c>]]]></a>`, `<a><![CDATA[]]]]></a>`, `<a><![CDATA[]]]]]><![CDATA[>]]></a>`, `<a>]<![CDATA[]>]]>]></a>`,
	`<a><!-- <b> & - -> ]]> --></a>`, `<a><!-- ]]>]]> --></a>`, `<a><!--a-b--></a>`, `<a><!--->--></a>`,
	`<a><?p <b>&??></a>`, `<a><?p ? > ?></a>`, `<a><?xml-stylesheet x?></a>`, "<a><?p\n?></a>", `<a><?é?></a>`,
}

var malformedDocs = map[string]string{ // and a part of the reason
	"":     "without a whole element",
	" \n":  "without a whole element",
	"<":    "without a whole element",
	"text": "outside of the root",
	// Elements.
	`<a>`: "before the end tag", `<a`: "without", `<a/`: "without", `<a></a`: "before the end tag", `<a></b>`: "end tag", `</a>`: "end tag",
	`<a></a></a>`: "end tag", `<a><b></a></b>`: "end tag", `<a></ a>`: "end tag", `<a></a b="">`: "end tag", `<a></a/>`: "end tag", `<a></>`: "end tag",
	`< a/>`: "element name", `<a/ >`: "white space", `<>`: "element name", `</>`: "end tag", `<1/>`: "element name", `<-a/>`: "element name", `<.a/>`: "element name",
	`<a$/>`: "white space", "<·/>": "element name", "<×/>": "element name", `<a<b/>`: `"<" inside`, `<a//>`: "white space",
	"<\u037e/>": "element name", "<a\u2028/>": "white space", "<a\u00a0b=''/>": "white space", "<a\v/>": "no character",
	`<a/><b/>`: "second root", `<a/>x`: "outside", `<a/>&#32;`: "outside", `<a/><![CDATA[]]>`: "CDATA", `<![CDATA[]]><a/>`: "CDATA",
	nested(maxDepth + 1):                        "deeper",
	"<" + strings.Repeat("a", maxName+1) + "/>": "element name",
	// Prolog.
	"\uFEFF<a/>": "byte-order mark", `x<a/>`: "outside", `&lt;<a/>`: "outside",
	` <?xml version="1.0"?><a/>`: "XML declaration", `<a/><?xml version="1.0"?>`: "XML declaration", `<a><?xml version="1.0"?></a>`: "XML declaration",
	`<?xml version="1.0"?><?xml version="1.0"?><a/>`: "XML declaration", `<?XML version="1.0"?><a/>`: "XML declaration", `<?xmL?><a/>`: "XML declaration",
	`<?xml?><a/>`: "XML declaration", `<?xml ?><a/>`: "XML declaration", `<?xml version="1.1"?><a/>`: "version", `<?xml encoding="UTF-8"?><a/>`: "XML declaration",
	`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`: "encoding", `<?xml version="1.0" encoding="UTF-16"?><a/>`: "encoding", `<?xml version="1.0" standalone="true"?><a/>`: "XML declaration",
	`<?xml version="1.0" standalone="no" encoding="UTF-8"?><a/>`: "XML declaration", `<?xml version="1.0"encoding="UTF-8"?><a/>`: "XML declaration",
	`<?xml version="1.0" version="1.0"?><a/>`: "XML declaration", `<?xml version=1.0?><a/>`: "XML declaration", `<?xml version="1.0"><a/>`: "XML declaration", `<?xml version="1.0" x="y"?><a/>`: "XML declaration",
	`<?xml version="1.0" ? ><a/>`: "XML declaration", `<?xml version="1.0"` + strings.Repeat(" ", maxXMLDecl) + `?><a/>`: "256 bytes",
	`<?xml version="1.0"`: "without", `<?xm`: "without",
	`<!DOCTYPE a><a/>`: "DOCTYPE", `<!D`: "DOCTYPE", `<a><!DOCTYPE a></a>`: "DOCTYPE", `<!ENTITY x "y"><a/>`: `"<!"`, `<!doctype a><a/>`: `"<!"`, `<!><a/>`: `"<!"`, `<! -- --><a/>`: `"<!"`,
	// Attributes.
	`<a b/>`: "name=", `<a b=/>`: "name=", `<a b=c/>`: "name=", `<a b="/>`: "without", `<a ="c"/>`: "name=", `<a b="c"d="e"/>`: "white space", `<a b="c" b="d"/>`: "twice", `<a b='' c='' b=''/>`: "twice",
	`<a b="<"/>`: `"<" in`, `<a b="&x;"/>`: "reference", `<a b="&"/>`: "reference", `<a b="&lt"/>`: "reference", `<a b="&#0;"/>`: "reference", `<a 1=""/>`: "name=", `<a b:=""/>`: "name=", `<a :b=""/>`: "name=",
	`<a b="c""/>`: "without", `<a "b"/>`: "name=", `<a b=""c/>`: "white space",
	`<a b="` + strings.Repeat("x", maxTag) + `"/>`:   "65 KiB",
	`<a b="` + strings.Repeat(">", maxTag) + `"/>`:   "65 KiB",
	`<a ` + numbered(maxAttrs+1, ` a%d=""`) + `/>`:   "1024 attributes",
	`<a ` + strings.Repeat("b", maxName+1) + `=""/>`: "name=",
	// Namespaces.
	`<p:a/>`: "not declared", `<a p:b=""/>`: "not declared", `<a><p:b xmlns:p="u"/><p:c/></a>`: "not declared", `<:a/>`: "element name", `<a:/>`: "element name", `<a:b:c xmlns:a="u"/>`: "white space", `<a:1 xmlns:a="u"/>`: "element name",
	`<a xmlns:p=""/>`: "no namespace", `<a xmlns:xmlns="u"/>`: "reserved", `<a xmlns:xml="u"/>`: "reserved", `<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`: "reserved",
	`<a xmlns="http://www.w3.org/XML/1998/namespace"/>`: "reserved", `<a xmlns="http://www.w3.org/2000/xmlns/"/>`: "reserved", `<a xmlns:p="http://www.w3.org/2000/xmlns/"/>`: "reserved", `<xmlns:a/>`: "not declared",
	`<a xmlns="u" xmlns="u"/>`: "twice", `<a xmlns:p="u" xmlns:p="v"/>`: "twice", `<a xmlns:p="u" xmlns:q="u" p:b="" q:b=""/>`: "twice", `<a xmlns:p="&#117;" xmlns:q="u" p:b="" q:b=""/>`: "twice",
	`<a xmlns="a b"/>`: "no URI", `<a xmlns="u&#10;"/>`: "no URI", `<a xmlns:p="{u}"/>`: "no URI", `<a xmlns="é"/>`: "no URI",
	`<a` + numbered(maxBindings+1, ` xmlns:p%d="u"`) + `/>`: "512 declarations",
	// Text.
	`<a>]]></a>`: "in text", `<a>]]]></a>`: "in text", `<a>&#93;]]></a>`: "in text", `<a><![CDATA[]]>]]></a>`: "in text",
	`<a>&</a>`: "reference", `<a>& </a>`: "reference", `<a>&lt</a>`: "reference", `<a>&;</a>`: "reference", `<a>&nbsp;</a>`: "reference", `<a>&LT;</a>`: "reference", `<a>&#;</a>`: "reference", `<a>&#x;</a>`: "reference",
	`<a>&#0;</a>`: "reference", `<a>&#8;</a>`: "reference", `<a>&#xD800;</a>`: "reference", `<a>&#xDFFF;</a>`: "reference", `<a>&#xFFFE;</a>`: "reference", `<a>&#xFFFF;</a>`: "reference", `<a>&#x110000;</a>`: "reference",
	`<a>&#X41;</a>`: "reference", `<a>&#+65;</a>`: "reference", `<a>&#-1;</a>`: "reference", `<a>&#6_5;</a>`: "reference", `<a>&#x4294967361;</a>`: "reference", `<a>&#4294967361;</a>`: "reference", `<a>&# 65;</a>`: "reference",
	`<a>&#` + strings.Repeat("0", 100) + `65;</a>`: "reference",
	"<a>\x00</a>": "no character", "<a>\x0b</a>": "no character", "<a>\x1f</a>": "no character", "<a b='\x01'/>": "no character", "<!--\x02--><a/>": "no character", "<a><![CDATA[\x03]]></a>": "no character",
	"<a>\uFFFE</a>": "no character", "<a>\uFFFF</a>": "no character",
	"<a>\x80</a>": "no character", "<a>\xff</a>": "no character", "<a>\xc3</a>": "no character", "<a>\xc0\x80</a>": "no character", "<a>\xc1\xbf</a>": "no character", "<a>\xe0\x80\xaf</a>": "no character", "<a>\xf0\x80\x80\xaf</a>": "no character",
	"<a>\xed\xa0\x80</a>": "no character", "<a>\xed\xbf\xbf</a>": "no character", "<a>\xf4\x90\x80\x80</a>": "no character", "<a>\xf8\x88\x80\x80\x80</a>": "no character", "<a>\xe9</a>": "no character", "<\xe9/>": "no character",
	"<a/>\xe2\x80":       "outside",
	"\xff\xfe<\x00a":     "no character",
	"<a><!--\xe2\x80":    "before the end tag",
	"<a/><!--\xe2\x80":   "inside of markup",
	"<a/><!-- -":         "inside of markup",
	"<a/><?p":            "inside of markup",
	"<a/><":              "inside of markup",
	"<a><![CDATA[</a>":   "before the end tag",
	`<a><![CDATA[]]`:     "before the end tag",
	`<a><![cdata[]]>`:    `"<!"`,
	`<a><![CDATA []]>`:   `"<!"`,
	`<a><!-- -- --></a>`: "inside of a comment", `<a><!-- ---></a>`: "inside of a comment", `<a><!--></a>`: "before the end tag",
	`<a><? p?></a>`: "proper name", `<a><??></a>`: "proper name", `<a><?p??></a>`: "proper name", `<a><?p:q ?></a>`: "proper name", `<a><?1?></a>`: "proper name", `<a><?p></a>`: "before the end tag",
	`<a><?` + strings.Repeat("p", maxName+1) + `?></a>`:                                                "1024 bytes",
	strings.Repeat("<"+strings.Repeat("b", maxName)+` xmlns="`+strings.Repeat("u", maxName)+`">`, 200): "256 KiB",
}

func TestCheckerAccepts(t *testing.T) {
	for _, doc := range wellFormedDocs {
		eachSplit(doc, func(how string, parts ...string) {
			if _, err := check(parts...); err != nil {
				t.Errorf("%.100q, %s: %v", doc, how, err)
			}
		})
	}
}

func TestCheckerRefuses(t *testing.T) {
	for doc, reason := range malformedDocs {
		eachSplit(doc, func(how string, parts ...string) {
			_, err := check(parts...)
			var serr *SyntaxError
			if !errors.As(err, &serr) || !strings.Contains(serr.Reason, reason) || serr.Offset > int64(len(doc)) || serr.Offset < 0 {
				t.Errorf("%.100q, %s: got %v, want %s", doc, how, err, reason)
			}
		})
	}
}

func TestCheckerTellsWhere(t *testing.T) {
	for doc, want := range map[string]int64{
		"<a>\n<b></a>":    7,
		"<a>&x;</a>":      3,
		"<a>\n]]></a>":    6,
		"<a>\n\x01</a>":   4,
		"<a>é\xff</a>":    5,
		"<a/> x":          5,
		"<a><b c=d/></a>": 3,
		"<a>":             3,
	} {
		eachSplit(doc, func(how string, parts ...string) {
			_, err := check(parts...)
			var serr *SyntaxError
			if !errors.As(err, &serr) || serr.Offset != want {
				t.Errorf("%q, %s: got %v, want offset %d", doc, how, err, want)
			}
		})
	}
}

func TestCheckerStaysWrong(t *testing.T) {
	c := NewChecker()
	n, err := c.Write([]byte("<a></b>"))
	if n > 7 || err == nil {
		t.Fatalf("took %d bytes, %v", n, err)
	}
	if _, again := c.Write([]byte("<a/>")); again != err {
		t.Errorf("got %v, then %v", err, again)
	}
	if _, again := c.Finish(); again != err {
		t.Errorf("got %v, at the end %v", err, again)
	}
	c.Reset()
	if _, err := checkWith(c, "<a/>"); err != nil {
		t.Errorf("after Reset: %v", err)
	}
}

func TestCheckerFindsDelimiter(t *testing.T) {
	for doc, want := range map[string]bool{
		"<a/>":                            false,
		"<a><!-- ]]>]]> --></a>":          true,
		"<a b=']]>]]>'/>":                 true,
		"<a><?p ]]]]>]]>?></a>":           true,
		"<a><!-- ]]> ]]> ]]>]] --></a>":   false,
		"<a><![CDATA[]]><![CDATA[]]></a>": false,
	} {
		eachSplit(doc, func(how string, parts ...string) {
			c := NewChecker()
			if _, err := checkWith(c, parts...); err != nil || c.Delimiter() != want {
				t.Errorf("%q, %s: got %v, %v", doc, how, c.Delimiter(), err)
			}
		})
	}
}

func TestCheckerGivesMemoryBack(t *testing.T) {
	c := NewChecker()
	for _, doc := range wellFormedDocs {
		if _, err := checkWith(c, strings.Split(doc, "")...); err != nil {
			t.Fatal(err)
		}
		c.Reset()
		if cap(c.pending) > 8<<10 || cap(c.attrs) > 64 || cap(c.names.bytes) > 8<<10 || cap(c.names.bindings) > 64 {
			t.Errorf("%.100q: keeps %d, %d, %d, %d", doc, cap(c.pending), cap(c.attrs), cap(c.names.bytes), cap(c.names.bindings))
		}
	}
}

func TestCheckerDoesNotAllocate(t *testing.T) {
	doc := []byte(sampleReply(100))
	c := NewChecker()
	allocs := testing.AllocsPerRun(10, func() {
		c.Reset()
		for part := range slices.Chunk(doc, 1000) {
			if _, err := c.Write(part); err != nil {
				t.Fatal(err)
			}
		}
	})
	// The head's strings, and a tag that is cut: not one per element.
	if allocs > 20 {
		t.Errorf("%v allocations for %d bytes", allocs, len(doc))
	}
}

// sampleReply is an ordinary rpc-reply with n interfaces.
func sampleReply(n int) string {
	var b strings.Builder
	b.WriteString(`<rpc-reply xmlns="` + NamespaceBase + `" message-id="1"><data><interfaces xmlns="urn:ietf:params:xml:ns:yang:ietf-interfaces">`)
	for i := range n {
		fmt.Fprintf(&b, "\n  <interface>\n    <name>eth%d</name>\n    <type xmlns:ianaift=\"urn:ietf:params:xml:ns:yang:iana-if-type\">ianaift:ethernetCsmacd</type>\n"+
			"    <description>Uplink &amp; backup of port %d in rack %d</description>\n    <enabled>true</enabled>\n  </interface>", i, i, i/48)
	}
	b.WriteString("</interfaces></data></rpc-reply>")
	return b.String()
}
