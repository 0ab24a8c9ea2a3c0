package netconf

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// The methods here are what Checker.scan is set to, one for each construct of
// a document. Each takes at least one byte of p, which is never empty, or
// returns an error; it returns how many it took.

// text reads character data, or what stands outside of the root element.
func (c *Checker) text(p []byte) (int, error) {
	c.begin = -1
	if c.names.depth() == 0 {
		return c.outside(p)
	}
	i := 0
	for i < len(p) {
		if p[i] == '>' && c.brackets == 2 {
			return i, &SyntaxError{c.offset + int64(i), `"]]>" in text`}
		}
		run := i
		for run < len(p) && classes[p[run]]&textStop == 0 {
			run++
		}
		if run > i {
			c.brackets = 0
		}
		if i = run; i == len(p) || p[i] != ']' {
			break
		}
		c.brackets = min(c.brackets+1, 2)
		i++
	}
	c.head.text(p[:i])
	if i == len(p) {
		return i, nil
	}
	c.open(p[i], i)
	return i + 1, nil
}

// outside reads what stands before and behind the root element.
func (c *Checker) outside(p []byte) (int, error) {
	i := len(p) - len(trimSpace(p))
	switch {
	case i == len(p):
		return i, nil
	case p[i] == 0xEF && c.offset == 0 && i == 0:
		return 0, c.wrong("text, perhaps a byte-order mark, at the start")
	case p[i] != '<':
		return i, &SyntaxError{c.offset + int64(i), "text outside of the root element"}
	}
	c.open('<', i)
	return i + 1, nil
}

// open begins a construct with "<" or "&", which is i bytes ahead.
func (c *Checker) open(first byte, i int) {
	c.begin, c.brackets, c.pending = c.offset+int64(i), 0, c.pending[:0]
	c.scan = (*Checker).markup
	if first == '&' {
		c.scan = (*Checker).reference
	}
}

// markup finds out what "<" begins.
func (c *Checker) markup(p []byte) (int, error) {
	switch p[0] {
	case '!':
		c.scan = (*Checker).commentOrCDATA
		return 1, nil
	case '?':
		c.scan = (*Checker).instructionTarget
		return 1, nil
	case '/':
		if c.names.depth() == 0 {
			return 0, c.wrongSince("end tag outside of the root element")
		}
		c.scan = (*Checker).endTagBytes
		return 1, nil
	}
	if c.names.depth() == 0 && c.rooted {
		return 0, c.wrongSince("a second root element")
	}
	c.quote = 0
	c.scan = (*Checker).startTagBytes
	return c.startTagBytes(p)
}

// startTagBytes looks for the ">" of a start tag, not minding quoted ones.
func (c *Checker) startTagBytes(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		if c.quote != 0 {
			n := bytes.IndexByte(p[i:], c.quote)
			if n < 0 {
				break
			}
			i, c.quote = i+n, 0
			continue
		}
		switch p[i] {
		case '>':
			return c.tagEnds(p, i, c.startTag)
		case '<':
			return 0, c.wrongSince(`"<" inside of a tag`)
		case '"', '\'':
			c.quote = p[i]
		}
	}
	return c.keep(p, maxTag, "a tag exceeds 65 KiB")
}

// endTagBytes looks for the ">" of an end tag.
func (c *Checker) endTagBytes(p []byte) (int, error) {
	if i := bytes.IndexByte(p, '>'); i >= 0 {
		return c.tagEnds(p, i, c.endTag)
	}
	return c.keep(p, maxTag, "a tag exceeds 65 KiB")
}

// tagEnds has a tag read whose ">" is at p[i].
func (c *Checker) tagEnds(p []byte, i int, read func([]byte) error) (int, error) {
	tag := p[:i]
	if len(c.pending) > 0 {
		c.pending = append(c.pending, tag...)
		tag = c.pending
	}
	if len(tag) > maxTag {
		return 0, c.wrongSince("a tag exceeds 65 KiB")
	}
	if err := read(tag); err != nil {
		return 0, c.at(err)
	}
	c.close()
	return i + 1, nil
}

// keep holds p until the end of the construct has come.
func (c *Checker) keep(p []byte, limit int, reason string) (int, error) {
	if len(c.pending)+len(p) > limit {
		return 0, c.wrongSince(reason)
	}
	c.pending = append(c.pending, p...)
	return len(p), nil
}

// close ends a construct.
func (c *Checker) close() {
	c.begin, c.pending, c.brackets = -1, c.pending[:0], 0
	c.scan = (*Checker).text
}

// reference reads a character or entity reference in text.
func (c *Checker) reference(p []byte) (int, error) {
	i := bytes.IndexFunc(p, endsReference)
	if i < 0 {
		return c.keep(p, maxRef, errReference.Error())
	}
	if p[i] != ';' {
		return 0, c.at(errReference)
	}
	if n, err := c.keep(p[:i], maxRef, errReference.Error()); err != nil {
		return n, err
	}
	r, err := resolve(c.pending)
	if err != nil {
		return 0, c.at(err)
	}
	c.head.text([]byte(string(r)))
	c.close()
	return i + 1, nil
}

// endsReference reports whether r is in no reference that resolve takes.
func endsReference(r rune) bool {
	return r >= utf8.RuneSelf || r != '#' && classes[r]&nameChar == 0
}

// commentOrCDATA finds out what "<!" begins.
func (c *Checker) commentOrCDATA(p []byte) (int, error) {
	c.pending = append(c.pending, p[0])
	switch got := string(c.pending); {
	case got == "--":
		c.pending, c.dashes = c.pending[:0], 0
		c.head.interrupted()
		c.scan = (*Checker).comment
	case got == "[CDATA[":
		if c.names.depth() == 0 {
			return 0, c.wrongSince("a CDATA section outside of the root element")
		}
		c.pending = c.pending[:0]
		c.head.interrupted()
		c.scan = (*Checker).cdata
	case strings.HasPrefix("DOCTYPE", got):
		return 0, c.wrongSince("a DOCTYPE is not allowed")
	case !strings.HasPrefix("--", got) && !strings.HasPrefix("[CDATA[", got):
		return 0, c.wrongSince(`neither a comment nor a CDATA section behind "<!"`)
	}
	return 1, nil
}

// comment reads a comment, in which "--" may stand only at its end.
func (c *Checker) comment(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		switch {
		case c.dashes == 2 && p[i] == '>':
			c.close()
			return i + 1, nil
		case c.dashes == 2:
			return i, &SyntaxError{c.offset + int64(i), `"--" inside of a comment`}
		case p[i] == '-':
			c.dashes++
		default:
			c.dashes = 0
			if n := bytes.IndexByte(p[i:], '-'); n < 0 {
				return len(p), nil
			} else {
				i += n - 1
			}
		}
	}
	return len(p), nil
}

// cdata reads a CDATA section. Its end is not known before the ">", so the
// brackets are text only when something else follows.
func (c *Checker) cdata(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		switch {
		case p[i] == ']' && c.brackets < 2:
			c.brackets++
		case p[i] == ']':
			c.head.text(p[i : i+1])
		case p[i] == '>' && c.brackets == 2:
			c.close()
			return i + 1, nil
		default:
			c.head.text([]byte("]]"[:c.brackets]))
			c.brackets = 0
			n := bytes.IndexByte(p[i:], ']')
			if n < 0 {
				n = len(p) - i
			}
			c.head.text(p[i : i+n])
			i += n - 1
		}
	}
	return len(p), nil
}

// instructionTarget reads the name of a processing instruction.
func (c *Checker) instructionTarget(p []byte) (int, error) {
	i := bytes.IndexAny(p, " \t\r\n?")
	if i < 0 {
		return c.keep(p, maxName, "a processing instruction's name exceeds 1024 bytes")
	}
	if n, err := c.keep(p[:i], maxName, "a processing instruction's name exceeds 1024 bytes"); err != nil {
		return n, err
	}
	name := c.pending
	c.head.interrupted()
	switch {
	case len(name) == 0 || ncName(name) != len(name):
		return 0, c.wrongSince("a processing instruction without a proper name")
	case string(name) == "xml" && c.begin == 0:
		c.pending = c.pending[:0]
		c.scan = (*Checker).xmlDeclaration
	case strings.EqualFold(string(name), "xml"):
		return 0, c.wrongSince("an XML declaration that is not at the very start")
	case p[i] == '?':
		c.question = false
		c.scan = (*Checker).instructionEnd
	default:
		c.question = false
		c.scan = (*Checker).instruction
	}
	n, err := c.scan(c, p[i:])
	return i + n, err
}

// instruction reads a processing instruction behind its name.
func (c *Checker) instruction(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		if c.question && p[i] == '>' {
			c.close()
			return i + 1, nil
		}
		if c.question = p[i] == '?'; c.question {
			continue
		}
		n := bytes.IndexByte(p[i:], '?')
		if n < 0 {
			return len(p), nil
		}
		i += n - 1
	}
	return len(p), nil
}

// instructionEnd reads the "?>" right behind a name.
func (c *Checker) instructionEnd(p []byte) (int, error) {
	switch {
	case !c.question && p[0] == '?':
		c.question = true
		return 1, nil
	case c.question && p[0] == '>':
		c.close()
		return 1, nil
	}
	return 0, c.wrongSince("a processing instruction without a proper name")
}
