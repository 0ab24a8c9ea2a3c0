package netconf

import (
	"bytes"
	"errors"
	"fmt"
)

// Namespaces that are bound by definition (Namespaces in XML section 3).
var (
	spaceXML   = []byte("http://www.w3.org/XML/1998/namespace")
	spaceXMLNS = []byte("http://www.w3.org/2000/xmlns/")
)

var errStack = errors.New("the names and namespaces of the open elements exceed 256 KiB, or 512 declarations")

// nameStack holds the names of the open elements and the namespaces that are
// declared on them. All its bytes lie in one slice, so that a document costs
// no allocation per element.
type nameStack struct {
	bytes    []byte
	elements []element
	bindings []binding
}

// element is an open one. What lies behind its name in bytes is its own.
type element struct {
	start, end int // of its qualified name
	bindings   int // how many are outside of it
}

// binding is a declared namespace: prefix and name in nameStack.bytes.
type binding struct{ start, colon, end int }

func (s *nameStack) depth() int { return len(s.elements) }

// top returns the qualified name of the innermost open element.
func (s *nameStack) top() []byte {
	e := s.elements[len(s.elements)-1]
	return s.bytes[e.start:e.end]
}

func (s *nameStack) push(name []byte) error {
	if len(s.elements) == maxDepth {
		return errors.New("elements are nested deeper than 256")
	}
	if len(s.bytes)+len(name) > maxStack {
		return errStack
	}
	start := len(s.bytes)
	s.bytes = append(s.bytes, name...)
	s.elements = append(s.elements, element{start, len(s.bytes), len(s.bindings)})
	return nil
}

func (s *nameStack) pop() {
	e := s.elements[len(s.elements)-1]
	s.bytes, s.bindings, s.elements = s.bytes[:e.start], s.bindings[:e.bindings], s.elements[:len(s.elements)-1]
}

// declare binds a prefix, empty for the default namespace, on the innermost
// open element.
func (s *nameStack) declare(prefix, space []byte) error {
	isXML := string(prefix) == "xml"
	switch {
	case string(prefix) == "xmlns", isXML != bytes.Equal(space, spaceXML), bytes.Equal(space, spaceXMLNS):
		return errors.New("a reserved prefix or namespace is declared")
	case len(prefix) > 0 && len(space) == 0:
		return errors.New("a prefix is declared for no namespace")
	case !isURI(space):
		return fmt.Errorf("namespace %.64q is no URI", space)
	case len(s.bindings) == maxBindings || len(s.bytes)+len(prefix)+len(space) > maxStack:
		return errStack
	}
	start := len(s.bytes)
	s.bytes = append(append(s.bytes, prefix...), space...)
	s.bindings = append(s.bindings, binding{start, start + len(prefix), len(s.bytes)})
	return nil
}

// isURI reports whether s has only characters of RFC 3986. Parsers differ on
// white space in the name of a namespace, and libxml2 reports all others.
func isURI(s []byte) bool {
	for _, c := range s {
		if classes[c]&uriChar == 0 {
			return false
		}
	}
	return true
}

// space returns the namespace that a prefix stands for; the empty prefix may
// stand for none.
func (s *nameStack) space(prefix []byte) ([]byte, error) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if b := s.bindings[i]; string(s.bytes[b.start:b.colon]) == string(prefix) {
			return s.bytes[b.colon:b.end], nil
		}
	}
	switch string(prefix) {
	case "":
		return nil, nil
	case "xml":
		return spaceXML, nil
	}
	return nil, fmt.Errorf("prefix %.64q is not declared", prefix)
}

// reset empties the stack, and keeps it if it is of moderate size.
func (s *nameStack) reset() {
	if cap(s.bytes) > 4<<10 || cap(s.bindings) > 64 {
		*s = nameStack{}
	}
	s.bytes, s.elements, s.bindings = s.bytes[:0], s.elements[:0], s.bindings[:0]
}
