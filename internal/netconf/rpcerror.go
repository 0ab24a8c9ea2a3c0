package netconf

import (
	"bytes"
	"cmp"
	"encoding/xml"
)

// RPCError is one rpc-error of a reply (RFC 6241 section 4.3).
type RPCError struct {
	Type     string // "transport", "rpc", "protocol" or "application"; that one when empty
	Tag      string // for example "malformed-message"
	Severity string // "error" when empty
	AppTag   string // left out when empty
	Path     string // left out when empty
	Message  string // for people, in English; left out when empty
	// Info is XML, written as it is; unprefixed names in it are in the base
	// namespace.
	Info string
}

// ErrorReply returns the rpc-reply document with which to answer an rpc. It
// carries all attributes of the rpc (RFC 6241 section 4.2), and its own names
// stand under the rpc's prefix, which those attributes declare. For a head that
// is of no rpc, the reply has no attributes but its namespace.
func ErrorReply(h Head, errs ...RPCError) []byte {
	var w replyWriter
	w.open(h)
	for _, e := range errs {
		w.error(e)
	}
	return w.close()
}

// OKReply returns the rpc-reply document that says ok.
func OKReply(h Head) []byte {
	var w replyWriter
	w.open(h)
	w.text("<" + w.prefix + "ok/>")
	return w.close()
}

// replyWriter writes an rpc-reply.
type replyWriter struct {
	b      bytes.Buffer
	prefix string // with the colon, or empty
}

func (w *replyWriter) text(s string) { w.b.WriteString(s) }

func (w *replyWriter) open(h Head) {
	attributes := ` xmlns="` + NamespaceBase + `"`
	switch {
	case h.Kind == KindRPC && h.Attributes != "":
		w.prefix, attributes = h.prefix, h.Attributes
	case h.Kind == KindRPC && h.HasID:
		attributes += ` message-id="` + escape(h.ID) + `"`
	}
	w.text(xml.Header + "<" + w.prefix + "rpc-reply" + attributes + ">")
}

func (w *replyWriter) close() []byte {
	w.text("</" + w.prefix + "rpc-reply>")
	return w.b.Bytes()
}

func (w *replyWriter) error(e RPCError) {
	w.text("<" + w.prefix + "rpc-error>")
	w.element("error-type", "", cmp.Or(e.Type, "application"))
	w.element("error-tag", "", e.Tag)
	w.element("error-severity", "", cmp.Or(e.Severity, "error"))
	w.optional("error-app-tag", "", e.AppTag)
	w.optional("error-path", "", e.Path)
	w.optional("error-message", ` xml:lang="en"`, e.Message)
	if e.Info != "" {
		w.text("<" + w.prefix + `error-info xmlns="` + NamespaceBase + `">` + e.Info + "</" + w.prefix + "error-info>")
	}
	w.text("</" + w.prefix + "rpc-error>")
}

func (w *replyWriter) optional(name, attributes, text string) {
	if text != "" {
		w.element(name, attributes, text)
	}
}

func (w *replyWriter) element(name, attributes, text string) {
	w.text("<" + w.prefix + name + attributes + ">" + escape(text) + "</" + w.prefix + name + ">")
}

// escape returns s as XML text or attribute value. Bytes that XML cannot carry
// become U+FFFD.
func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer does not fail
	return b.String()
}
