package netconf

import (
	"bytes"
	"sync"
)

// NamespaceNMDA is the namespace of get-data and edit-data (RFC 8526).
const NamespaceNMDA = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"

// The namespaces of XInclude. libxml2 puts what such an element names, or what
// stands in it, in its place where it is told to, and netconfd does: it carries
// out an operation that was not there.
const (
	spaceXInclude    = "http://www.w3.org/2001/XInclude"
	spaceOldXInclude = "http://www.w3.org/2003/XInclude"
)

// maxArgument bounds a session-id or datastore name as it was sent.
const maxArgument = 256

// kindOf returns the kind of a message with that root element.
func kindOf(root Name) Kind {
	switch root {
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

// argument tells where in an operation its Target or SessionID stands.
type argument struct {
	name string // of the operation's child element
	// text is set where the argument is that element's text, and not the name
	// of the element in it.
	text bool
}

var arguments = map[Name]argument{
	{NamespaceBase, "get-config"}:    {name: "source"},
	{NamespaceBase, "edit-config"}:   {name: "target"},
	{NamespaceBase, "copy-config"}:   {name: "target"},
	{NamespaceBase, "delete-config"}: {name: "target"},
	{NamespaceBase, "lock"}:          {name: "target"},
	{NamespaceBase, "unlock"}:        {name: "target"},
	{NamespaceBase, "validate"}:      {name: "source"},
	{NamespaceBase, "kill-session"}:  {name: "session-id", text: true},
	{NamespaceNMDA, "get-data"}:      {name: "datastore", text: true},
	{NamespaceNMDA, "edit-data"}:     {name: "datastore", text: true},
}

// Depths of elements in an rpc.
const (
	depthOperation = 2
	depthArgument  = 3
	depthDatastore = 4
)

// headTracker gathers a Head while the elements of a document pass.
type headTracker struct {
	Head
	argument argument // of the operation
	inside   bool     // of the first operation
	open     bool     // inside of its argument
	seen     bool     // its argument, or what has its name
	named    bool     // the element in it
	value    []byte   // the text in it
	outcome  outcomeTracker
}

// root is told of the root's start tag, and where in the document its
// attributes start.
func (h *headTracker) root(space, local, prefix, attributes []byte, attrs []attr, at int64) {
	h.Kind = kindOf(Name{string(space), string(local)})
	h.Attributes = string(attributes)
	h.echo = echoSize(attributes)
	if len(prefix) > 0 {
		h.prefix = string(prefix) + ":"
	}
	for _, a := range attrs {
		if len(a.prefix) == 0 && string(a.local) == "message-id" {
			h.ID, h.HasID = string(value(a.raw)), true
			h.idText = textOf(attributes, a, at)
			h.echo -= echoSize(a.raw)
		}
	}
}

// start is told of each start tag below the root.
func (h *headTracker) start(depth int, space, local []byte) {
	switch {
	case h.Kind == KindReply:
		h.outcome.start(depth, space, local)
		return
	case h.Kind == KindNotification && depth == depthOperation:
		h.event(Name{string(space), string(local)})
		return
	case h.Kind != KindRPC:
		return
	case string(space) == spaceXInclude, string(space) == spaceOldXInclude:
		h.Ambiguous = true
	case depth > depthDatastore:
		return
	}
	switch {
	case depth == depthOperation:
		h.operation(Name{string(space), string(local)})
	case depth == depthArgument:
		h.child(space, local)
	case h.open && (h.argument.text || h.named):
		h.Ambiguous = true
	case h.open:
		h.named = true
		h.Target = datastore(space, local)
		h.Ambiguous = h.Ambiguous || unclear(space)
	}
}

func (h *headTracker) operation(name Name) {
	if h.Op != (Name{}) {
		h.Ambiguous = true
		return
	}
	h.Op, h.argument, h.inside = name, arguments[name], true
	h.Ambiguous = h.Ambiguous || unclear([]byte(name.Space))
}

// unclear reports whether peers differ on the name of a namespace: to libxml2,
// one that is declared with "&amp;" has "&#38;" in it.
func unclear(space []byte) bool { return bytes.IndexByte(space, '&') >= 0 }

// event is told of a notification's child elements.
func (h *headTracker) event(name Name) {
	if h.Op == (Name{}) && name != (Name{NamespaceNotification, "eventTime"}) {
		h.Op = name
	}
}

// child is told of the operation's child elements. One of the argument's name
// in another namespace is ambiguous, since not all devices look at that, and
// so are two.
func (h *headTracker) child(space, local []byte) {
	if !h.inside || h.argument.name != string(local) {
		return
	}
	proper := h.Op.Space == string(space)
	h.Ambiguous = h.Ambiguous || h.seen || !proper
	h.open = !h.seen && proper
	h.seen = true
}

// datastore returns what Target calls a datastore. One that is not in the base
// namespace must not pass for one that is.
func datastore(space, local []byte) string {
	if string(space) == NamespaceBase {
		return string(local)
	}
	return "{" + string(space) + "}" + string(local)
}

// text is told of all text, with references resolved, in pieces of any size.
func (h *headTracker) text(p []byte) {
	h.outcome.text(p)
	if !h.open || !h.argument.text {
		return
	}
	room := maxArgument - len(h.value)
	if len(p) > room {
		h.Ambiguous, p = true, p[:room]
	}
	h.value = append(h.value, p...)
}

// interrupted is told of comments, processing instructions and CDATA sections.
// Text that has any in it some peers read to the first of them only.
func (h *headTracker) interrupted() {
	h.Ambiguous = h.Ambiguous || h.open && h.argument.text
}

// end is told of each end tag, before the element is gone.
func (h *headTracker) end(depth int) {
	h.outcome.end(depth)
	if depth == depthOperation {
		h.inside = false
	}
	if depth != depthArgument || !h.open {
		return
	}
	h.open = false
	if !h.argument.text {
		return
	}
	text := string(bytes.TrimSpace(h.value))
	if h.Op.Local == "kill-session" {
		h.SessionID = text
		return
	}
	// The text is an identity, under whatever prefix (RFC 8526 section 3.1.2).
	h.Target = text[bytes.IndexByte([]byte(text), ':')+1:]
}

// headScanners hold Checkers for Reader.Next, which needs one only while the
// start of a message passes.
var headScanners = sync.Pool{New: func() any { return NewChecker() }}

// rootHead reads the start of a document, and gives what the root element's
// start tag tells.
type rootHead struct{ c *Checker }

func newRootHead() rootHead {
	h := rootHead{headScanners.Get().(*Checker)}
	h.reset()
	return h
}

func (h rootHead) reset() {
	h.c.Reset()
	h.c.rootOnly = true
}

func (h rootHead) free() { headScanners.Put(h.c) }

// write takes the next bytes. It returns true when no more are wanted.
func (h rootHead) write(p []byte) bool {
	_, err := h.c.Write(p)
	return err != nil || h.c.rooted
}

func (h rootHead) head() Head {
	found := h.c.head.Head
	return Head{Kind: found.Kind, ID: found.ID, HasID: found.HasID, idText: found.idText}
}
