package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// attr is an attribute of the start tag that is being read; its parts lie in
// the tag, or in the name stack.
type attr struct {
	prefix, local []byte
	raw           []byte // the value as it was sent
	space         []byte
}

// declares reports whether a is a namespace declaration, and of which prefix.
func (a attr) declares() (prefix []byte, ok bool) {
	switch {
	case len(a.prefix) == 0 && string(a.local) == "xmlns":
		return nil, true
	case string(a.prefix) == "xmlns":
		return a.local, true
	}
	return nil, false
}

// startTag reads what stands between "<" and ">".
func (c *Checker) startTag(tag []byte) error {
	inner, empty := bytes.CutSuffix(tag, []byte("/"))
	prefix, local, n := qName(inner)
	if n == 0 || n > maxName {
		return errors.New(`no element name of at most 1024 bytes behind "<"`)
	}
	if err := c.readAttrs(inner[n:]); err != nil {
		return err
	}
	if err := c.names.push(inner[:n]); err != nil {
		return err
	}
	space, err := c.bindAttrs(prefix)
	if err != nil {
		return err
	}
	if c.names.depth() == 1 {
		c.rooted = true
		c.head.root(space, local, prefix, inner[n:], c.attrs, c.begin+int64(len("<")+n))
	} else {
		c.head.start(c.names.depth(), space, local)
	}
	if empty {
		c.closeElement()
	}
	return nil
}

// endTag reads what stands between "</" and ">".
func (c *Checker) endTag(tag []byte) error {
	name := bytes.TrimRight(tag, " \t\r\n")
	if !bytes.Equal(name, c.names.top()) {
		return fmt.Errorf("end tag %.64q where %.64q is open", name, c.names.top())
	}
	c.closeElement()
	return nil
}

func (c *Checker) closeElement() {
	c.head.end(c.names.depth())
	c.names.pop()
}

// readAttrs splits the part of a start tag behind the name into c.attrs.
func (c *Checker) readAttrs(s []byte) error {
	c.attrs = c.attrs[:0]
	for {
		rest := trimSpace(s)
		if len(rest) == 0 {
			return nil
		}
		if len(rest) == len(s) {
			return errors.New("no white space in front of an attribute")
		}
		a, n := readAttr(rest)
		if n == 0 {
			return errors.New("an attribute that is not name=\"value\"")
		}
		if len(c.attrs) == maxAttrs {
			return errors.New("more than 1024 attributes")
		}
		if err := checkValue(a.raw); err != nil {
			return err
		}
		c.attrs = append(c.attrs, a)
		s = rest[n:]
	}
}

// readAttr reads the attribute at the start of s. It returns its length, 0
// where there is none.
func readAttr(s []byte) (attr, int) {
	prefix, local, n := qName(s)
	if n == 0 || n > maxName {
		return attr{}, 0
	}
	rest, ok := bytes.CutPrefix(trimSpace(s[n:]), []byte("="))
	rest = trimSpace(rest)
	if !ok || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return attr{}, 0
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return attr{}, 0
	}
	return attr{prefix: prefix, local: local, raw: rest[1 : 1+end]}, len(s) - len(rest) + end + 2
}

// bindAttrs declares the namespaces of a start tag, finds those of its
// attributes, and checks that no two have the same name. It returns the
// namespace of the element, whose prefix is given.
func (c *Checker) bindAttrs(prefix []byte) ([]byte, error) {
	for _, a := range c.attrs {
		if p, ok := a.declares(); ok {
			if err := c.names.declare(p, value(a.raw)); err != nil {
				return nil, err
			}
		}
	}
	for i := range c.attrs {
		a := &c.attrs[i]
		if _, ok := a.declares(); ok && len(a.prefix) > 0 {
			a.space = spaceXMLNS
		} else if len(a.prefix) > 0 {
			var err error
			if a.space, err = c.names.space(a.prefix); err != nil {
				return nil, err
			}
		}
	}
	if err := uniqueAttrs(c.attrs); err != nil {
		return nil, err
	}
	return c.names.space(prefix)
}

// uniqueAttrs sorts the attributes, since a hostile tag may have thousands.
func uniqueAttrs(attrs []attr) error {
	if len(attrs) < 2 {
		return nil
	}
	compare := func(a, b attr) int {
		if d := bytes.Compare(a.local, b.local); d != 0 {
			return d
		}
		return bytes.Compare(a.space, b.space)
	}
	slices.SortFunc(attrs, compare)
	for i := range attrs[1:] {
		if compare(attrs[i], attrs[i+1]) == 0 {
			return fmt.Errorf("attribute %.64q occurs twice", attrs[i].local)
		}
	}
	return nil
}
