package tests

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"callhome-gateway/internal/netconf"
	"callhome-gateway/tests/harness"
)

// xmlMaker writes documents that are rpcs, or nearly: all that XML has stands
// where a filter might trip over it.
type xmlMaker struct {
	*rand.Rand
	b        strings.Builder
	prefixes []string // in scope
}

// document returns one. A third of them are then damaged somewhere.
func (m *xmlMaker) document() string {
	m.b.Reset()
	m.prefixes = m.prefixes[:0]
	if m.IntN(4) == 0 {
		m.b.WriteString(m.of(declarations))
	}
	m.misc()
	m.element(1)
	m.misc()
	doc := m.b.String()
	for m.IntN(3) == 0 {
		doc = m.damage(doc)
	}
	return doc
}

// choice is what may stand somewhere; bad is what may not, or not everywhere.
type choice struct{ good, bad []string }

const (
	xInclude    = "http://www.w3.org/2001/XInclude"
	oldXInclude = "http://www.w3.org/2003/XInclude"
)

var (
	declarations = choice{
		[]string{`<?xml version="1.0"?>`, `<?xml version='1.0' encoding='utf-8' ?>`, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`},
		[]string{
			`<?xml version="1.1"?>`, `<?xml version="1.0" encoding="UTF-16"?>`, `<?xml version="1.0" encoding="ISO-8859-1"?>`, `<?xml encoding="UTF-8"?>`,
			"\ufeff", `<!DOCTYPE rpc>`, `<!DOCTYPE rpc [<!ENTITY e "<commit/>">]>`,
		},
	}
	spaces = choice{
		[]string{
			harness.BaseNamespace, harness.BaseNamespace, harness.BaseNamespace, netconf.NamespaceNMDA, netconf.NamespaceNotification, "urn:x", xInclude,
			oldXInclude, "URN:IETF:params:xml:ns:netconf:base:1.0", "urn:ietf:params:xml:ns:netconf:base:1&#46;0", "urn:ietf:params:xml:ns:netconf:base:1&#x2e;0",
		},
		[]string{"", " " + harness.BaseNamespace, "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/", "a&amp;b", "a&lt;b", "%zz", "\u00e9"},
	}
	// requests are whole operations, as devices want them.
	requests = []string{
		"<get/>", "<get-config><source><running/></source></get-config>", "<get-config><source><candidate/></source><filter type='subtree'><x xmlns='urn:x'/></filter></get-config>",
		"<edit-config><target><candidate/></target><config><x xmlns='urn:x'/></config></edit-config>", "<commit/>", "<discard-changes/>", "<close-session/>",
		"<copy-config><target><startup/></target><source><running/></source></copy-config>", "<delete-config><target><startup/></target></delete-config>",
		"<lock><target><running/></target></lock>", "<unlock><target><candidate/></target></unlock>", "<validate><source><candidate/></source></validate>",
		"<kill-session><session-id>7</session-id></kill-session>", "<kill-session><session-id>&#x37;</session-id></kill-session>",
		"<get-data xmlns='" + netconf.NamespaceNMDA + "' xmlns:ds='urn:ietf:params:xml:ns:yang:ietf-datastores'><datastore>ds:running</datastore></get-data>",
	}
	operations = []string{
		"get", "get-config", "edit-config", "copy-config", "delete-config", "lock", "unlock", "validate", "kill-session", "close-session",
		"commit", "cancel-commit", "discard-changes", "get-data", "edit-data", "create-subscription",
	}
	names = choice{
		append([]string{
			"rpc", "target", "source", "running", "candidate", "url", "session-id", "datastore", "config", "filter", "include", "fallback",
			"x", "_", "a.b-9", "\u00e9", "\u03a9", "GET", "xml", "XMLx", "hello",
		}, operations...),
		[]string{"ge\u0301t", "\uff47\uff45\uff54", "get-config\u200d", "xmlns", "1x", "-x", ""},
	}
	blanks = choice{[]string{"", "", " ", "\n", "\t", "\r\n", "\r", "  \n"}, []string{"\u00a0", "\v"}}
	texts  = choice{
		[]string{
			"x", " ", "\n", "4", "7 ", "&lt;commit/&gt;", "&#60;commit/&#62;", "&#x3c;", "&amp;lt;", "&quot;", "&apos;", "&#13;", "]]", ">", "\u00e9",
			"\U0001f600", "\x7f", "\u0085", "\u2028", "ds:running", "running",
		},
		[]string{"&#0;", "&#xD800;", "&e;", "&", "]]>", "]]>]]>", "<", "\ufffe", "\x00", "\x0b", "\xc3", "\xed\xa0\x80", "<commit/>", "</rpc>"},
	}
	insides = choice{
		[]string{"", " ", "x", "]]", "&lt;", "\n", "\u00e9", "'", "get"},
		[]string{"<commit/>", "</rpc>", "-", "--", "-->", "?>", "?", "]]>", "]]>]]>", "<![CDATA[", "<!--", "<?", "\""},
	}
)

// of returns one of them, seldom a bad one.
func (m *xmlMaker) of(c choice) string {
	if m.IntN(50) == 0 {
		return m.any(c.bad)
	}
	return m.any(c.good)
}

func (m *xmlMaker) any(choices []string) string { return choices[m.IntN(len(choices))] }

// misc writes what may stand between elements.
func (m *xmlMaker) misc() {
	for m.IntN(3) == 0 {
		switch m.IntN(4) {
		case 0:
			fmt.Fprintf(&m.b, "<!--%s-->", m.of(insides))
		case 1:
			fmt.Fprintf(&m.b, "<?%s %s%s?>", m.of(choice{[]string{"p", "xml-x", "\u00e9"}, []string{"xml", "p:q", "XML", ""}}), m.of(blanks), m.of(insides))
		default:
			m.b.WriteString(m.of(blanks))
		}
	}
}

// element writes one with all that is in it.
func (m *xmlMaker) element(depth int) {
	scope := len(m.prefixes)
	attributes := m.attributes(depth)
	name := m.name(depth)
	m.b.WriteString("<" + name + attributes + m.of(blanks))
	if m.IntN(4) == 0 && depth > 1 {
		m.b.WriteString("/>")
	} else {
		m.b.WriteString(">")
		m.content(depth)
		m.b.WriteString("</" + name + m.of(blanks) + ">")
	}
	m.prefixes = m.prefixes[:scope]
}

func (m *xmlMaker) name(depth int) string {
	local := m.of(names)
	switch {
	case depth == 1 && m.IntN(20) > 0:
		local = "rpc"
	case depth == 2 && m.IntN(5) > 0:
		local = m.any(operations)
	case depth == 3 && m.IntN(3) > 0:
		local = m.any([]string{"target", "source", "session-id", "datastore", "filter", "config"})
	case depth == 4 && m.IntN(3) > 0:
		local = m.any([]string{"running", "candidate", "startup", "url", "config"})
	}
	if len(m.prefixes) > 0 && m.IntN(3) == 0 {
		return m.any(m.prefixes) + ":" + local
	}
	if m.IntN(100) == 0 {
		return m.any([]string{"p:", "xml:", "xmlns:", ":", "p:q:"}) + local
	}
	return local
}

// attributes returns those of a tag, namespace declarations among them.
func (m *xmlMaker) attributes(depth int) string {
	var b strings.Builder
	attribute := func(name, value string) {
		quote := m.any([]string{`"`, `"`, "'"})
		value = strings.ReplaceAll(value, quote, "")
		b.WriteString(m.any([]string{" ", " ", "\n", "\t ", "\r\n"}) + name + m.of(blanks) + "=" + m.of(blanks) + quote + value + quote)
	}
	if depth == 1 && m.IntN(10) > 0 {
		attribute("xmlns", harness.BaseNamespace)
	}
	for m.IntN(3) == 0 {
		switch m.IntN(5) {
		case 0:
			attribute("xmlns", m.of(spaces))
		case 1, 2:
			prefix := m.of(choice{[]string{"p", "q", "nc", "x", "\u00e9"}, []string{"xml", "xmlns", ""}})
			m.prefixes = append(m.prefixes, prefix)
			attribute("xmlns:"+prefix, m.of(spaces))
		case 3:
			attribute(m.of(choice{[]string{"message-id", "id", "xml:lang", "xml:space", "operation", "xml:id"}, []string{"p:a", "xml:xml"}}), m.of(texts))
		case 4:
			attribute(m.of(names), m.of(insides))
		}
	}
	return b.String()
}

// content writes what is inside of an element.
func (m *xmlMaker) content(depth int) {
	m.misc()
	if depth == 1 && m.IntN(3) == 0 {
		m.b.WriteString(m.any(requests))
		m.misc()
		return
	}
	for children := 0; m.IntN(8) > 2*children+depth/3; {
		switch m.IntN(9) {
		case 8:
			m.inclusion(depth + 1)
			children++
		case 0:
			m.b.WriteString(m.of(texts))
		case 1:
			fmt.Fprintf(&m.b, "<![CDATA[%s]]>", m.of(insides))
		default:
			m.element(depth + 1)
			children++
		}
		m.misc()
	}
}

// inclusion writes an element that others put its content in the place of.
func (m *xmlMaker) inclusion(depth int) {
	fmt.Fprintf(&m.b, `<xi:include xmlns:xi="%s" href="x"><xi:fallback>`, m.any([]string{xInclude, oldXInclude, "urn:x"}))
	m.element(depth)
	m.b.WriteString("</xi:fallback></xi:include>")
}

// damage changes a document somewhere: bytes go, come twice, or change places
// with what is written for a parser.
func (m *xmlMaker) damage(doc string) string {
	at := m.IntN(len(doc) + 1)
	until := min(len(doc), at+m.IntN(8))
	switch m.IntN(4) {
	case 0:
		return doc[:at] + doc[until:]
	case 1:
		return doc[:until] + doc[at:]
	case 2:
		return doc[:at] + m.of(texts) + doc[until:]
	}
	return doc[:at] + m.of(insides) + doc[at:]
}
