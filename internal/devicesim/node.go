package devicesim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"callhome-gateway/internal/netconf"
)

const maxDepth = 256

type attr = xml.Attr

// node is an XML element: either text or children, since configuration has no
// mixed content. Nodes are not modified once they are shared: an edit builds
// new ones, so that a reader needs no lock.
type node struct {
	name  xml.Name
	attrs []attr // without namespace declarations
	text  string // trimmed; empty if there are children
	kids  []*node
}

// parse reads one XML document.
func parse(doc []byte) (*node, error) {
	root, err := parseForest(doc)
	if err != nil {
		return nil, err
	}
	if len(root.kids) != 1 {
		return nil, fmt.Errorf("%d root elements", len(root.kids))
	}
	return root.kids[0], nil
}

// parseForest reads any number of elements and returns them under a nameless
// node.
func parseForest(doc []byte) (*node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(doc))
	stack := []*node{{}}
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return stack[0], nil
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			kid := &node{name: t.Name, attrs: plainAttrs(t.Attr)}
			top.kids = append(top.kids, kid)
			stack = append(stack, kid)
		case xml.CharData:
			top.text += string(t)
		case xml.EndElement:
			top.settle()
			stack = stack[:len(stack)-1]
		}
		if len(stack) > maxDepth {
			return nil, errors.New("elements nested too deeply")
		}
	}
}

// settle drops the white space around text, and around children.
func (n *node) settle() {
	n.text = strings.TrimSpace(n.text)
	if len(n.kids) > 0 {
		n.text = ""
	}
}

func plainAttrs(attrs []attr) []attr {
	var plain []attr
	for _, a := range attrs {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			plain = append(plain, a)
		}
	}
	return plain
}

func base(local string) xml.Name { return xml.Name{Space: netconf.NamespaceBase, Local: local} }

// child returns the first child with the name, or nil.
func (n *node) child(name xml.Name) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// param returns the child in the same namespace, or nil: an operation and its
// parameters share one.
func (n *node) param(local string) *node {
	return n.child(xml.Name{Space: n.name.Space, Local: local})
}

// paramText returns the text of a parameter, or "".
func (n *node) paramText(local string) string {
	if p := n.param(local); p != nil {
		return p.text
	}
	return ""
}

// attribute returns the value of an attribute, or "".
func (n *node) attribute(name xml.Name) string {
	for _, a := range n.attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// leaf makes an element that holds text.
func leaf(name xml.Name, text string) *node { return &node{name: name, text: text} }

// branch makes an element that holds others.
func branch(name xml.Name, kids ...*node) *node { return &node{name: name, kids: kids} }

// write appends the element as XML. space is the default namespace in force.
func (n *node) write(b *bytes.Buffer, space string) {
	b.WriteByte('<')
	b.WriteString(n.name.Local)
	if n.name.Space != space {
		writeAttr(b, "xmlns", n.name.Space)
	}
	for i, a := range n.attrs {
		name := a.Name.Local
		if a.Name.Space != "" {
			prefix := fmt.Sprintf("a%d", i)
			writeAttr(b, "xmlns:"+prefix, a.Name.Space)
			name = prefix + ":" + name
		}
		writeAttr(b, name, a.Value)
	}
	if n.text == "" && len(n.kids) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	_ = xml.EscapeText(b, []byte(n.text)) // a Buffer takes everything
	for _, k := range n.kids {
		k.write(b, n.name.Space)
	}
	b.WriteString("</" + n.name.Local + ">")
}

func writeAttr(b *bytes.Buffer, name, value string) {
	b.WriteString(" " + name + `="`)
	_ = xml.EscapeText(b, []byte(value))
	b.WriteByte('"')
}

// size estimates the memory that the tree holds, in bytes.
func (n *node) size() int {
	total := 128 + len(n.name.Space) + len(n.name.Local) + len(n.text)
	for _, k := range n.kids {
		total += k.size()
	}
	return total
}

// String returns the element as XML, or the children of a nameless one.
func (n *node) String() string {
	var b bytes.Buffer
	if n.name.Local != "" {
		n.write(&b, "")
		return b.String()
	}
	for _, k := range n.kids {
		k.write(&b, "")
	}
	return b.String()
}
