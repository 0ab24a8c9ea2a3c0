package netconf

import (
	"bytes"
	"errors"
	"strings"
)

// xmlDeclaration reads what stands between "<?xml" and "?>".
func (c *Checker) xmlDeclaration(p []byte) (int, error) {
	const tooLong = "an XML declaration exceeds 256 bytes"
	i := bytes.IndexByte(p, '>')
	if i < 0 {
		return c.keep(p, maxXMLDecl, tooLong)
	}
	if n, err := c.keep(p[:i], maxXMLDecl, tooLong); err != nil {
		return n, err
	}
	inner, ok := bytes.CutSuffix(c.pending, []byte("?"))
	if !ok {
		return 0, c.wrongSince("bad XML declaration")
	}
	if err := checkXMLDeclaration(inner); err != nil {
		return 0, c.at(err)
	}
	c.close()
	return i + 1, nil
}

// checkXMLDeclaration checks the pseudo-attributes, which have a fixed order
// (XML 1.0 section 2.8).
func checkXMLDeclaration(s []byte) error {
	order := []string{"version", "encoding", "standalone"}
	for seen := false; ; seen = true {
		rest := trimSpace(s)
		if len(rest) == 0 && seen {
			return nil
		}
		a, n := readAttr(rest)
		if n == 0 || len(rest) == len(s) || len(a.prefix) > 0 {
			return errors.New("bad XML declaration")
		}
		name := string(a.local)
		for seen && len(order) > 0 && order[0] != name {
			order = order[1:]
		}
		if len(order) == 0 || order[0] != name {
			return errors.New("bad XML declaration")
		}
		if err := checkPseudoAttribute(name, string(a.raw)); err != nil {
			return err
		}
		order, s = order[1:], rest[n:]
	}
}

func checkPseudoAttribute(name, value string) error {
	switch {
	case name == "version" && value != "1.0":
		return errors.New("the XML version is not 1.0")
	case name == "encoding" && !strings.EqualFold(value, "UTF-8"):
		return errors.New("the encoding is not UTF-8")
	case name == "standalone" && value != "yes" && value != "no":
		return errors.New("bad XML declaration")
	}
	return nil
}
