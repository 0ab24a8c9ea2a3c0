package netconf

import "fmt"

// Bounds of a document. They are far beyond what any YANG model needs.
const (
	// maxDepth is what libxml2 takes; netconfd's session ends beyond it.
	maxDepth = 256
	maxName  = 1 << 10
	// maxTag bounds a tag without its angle brackets.
	maxTag = 64<<10 + maxName
	// maxStack bounds the names and namespaces of all open elements together.
	maxStack = 256 << 10
	// maxBindings bounds the namespace declarations in scope, because each
	// prefix is looked for among them.
	maxBindings = 512
	maxAttrs    = 1 << 10 // of a tag
	maxRef      = 32      // of a character or entity reference
	maxXMLDecl  = 256
)

// SyntaxError says why a document is not well-formed, or what bound it exceeds.
type SyntaxError struct {
	// Offset is where in the document, in bytes: the place itself, or the
	// start of the tag, reference or declaration that is wrong.
	Offset int64
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not well-formed at byte %d: %s", e.Offset, e.Reason)
}

// Checker reads one document as it comes and tells whether it is a well-formed
// UTF-8 XML 1.0 document with sound namespaces: what passes, and is not
// Ambiguous, every XML parser sees as the Checker saw it, or refuses: some have
// the names of XML 1.0's fourth edition, and not of its fifth. There may be no DOCTYPE, hence no entities
// but the five predefined ones, and no byte-order mark: peers differ on what
// they do with it, and none needs it. Its memory is bounded, and little for an
// ordinary document. A Checker is used by one goroutine at a time.
type Checker struct {
	scan   func(*Checker, []byte) (int, error) // what the next bytes are
	offset int64                               // of the next byte
	begin  int64                               // of the construct that is open, or -1 in text
	err    error
	chars  charChecker
	delim  delimiterFinder
	found  bool // a delimiter

	pending  []byte // the part of a tag, reference or name that has come
	quote    byte   // that is open in a tag
	brackets int    // how many "]" the text, or a CDATA section, ends with, up to 2
	dashes   int    // how many "-" a comment ends with, up to 2
	question bool   // a processing instruction ends with "?"
	rooted   bool   // the root's start tag is over

	names    nameStack
	attrs    []attr
	head     headTracker
	rootOnly bool // stop behind the root's start tag
}

// NewChecker returns a Checker for one document.
func NewChecker() *Checker {
	c := &Checker{}
	c.Reset()
	return c
}

// Reset makes c ready for another document. It keeps a moderate amount of
// memory for it.
func (c *Checker) Reset() {
	pending, attrs, names := c.pending[:0], c.attrs[:0], c.names
	if cap(pending) > 4<<10 {
		pending = nil
	}
	if cap(attrs) > 64 {
		attrs = nil
	}
	names.reset()
	*c = Checker{scan: (*Checker).text, begin: -1, pending: pending, attrs: attrs, names: names}
}

// Write takes the next bytes of the document. It returns a *SyntaxError as
// soon as these can belong to no well-formed document, and ever after.
func (c *Checker) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.found = c.found || c.delim.in(p)
	sound, ok := c.chars.check(p)
	done := 0
	for done < sound && !c.over() {
		n, err := c.scan(c, p[done:sound])
		done += n
		c.offset += int64(n)
		if err != nil {
			c.err = err
			return done, err
		}
	}
	if !ok && !c.over() {
		c.err = c.wrong("bytes that are no character XML allows in UTF-8")
		return done, c.err
	}
	return len(p), nil
}

// Finish is called at the end of the document. It returns the document's head;
// along with an error, as much of it as was read: Attributes only if the
// root's start tag was sound.
func (c *Checker) Finish() (Head, error) {
	if c.err == nil {
		c.err = c.unfinished()
	}
	if c.err == nil {
		c.head.Outcome = c.head.outcome.outcome()
	}
	return c.head.Head, c.err
}

func (c *Checker) unfinished() error {
	switch {
	case !c.rooted:
		return c.wrong("ends without a whole element")
	case c.names.depth() > 0:
		return c.wrong("ends before the end tag of " + quoted(c.names.top()))
	case c.begin >= 0:
		return c.wrong("ends inside of markup")
	}
	return nil
}

// Delimiter reports whether "]]>]]>" occurred anywhere, be it in a comment: in
// EndOfMessage framing it would end the document there.
func (c *Checker) Delimiter() bool { return c.found }

// over reports whether all that was asked for is known.
func (c *Checker) over() bool { return c.rootOnly && c.rooted }

// wrong returns the error that the next byte is wrong.
func (c *Checker) wrong(reason string) error { return &SyntaxError{c.offset, reason} }

// wrongSince returns the error that the construct that is being read is wrong.
func (c *Checker) wrongSince(reason string) error { return &SyntaxError{c.begin, reason} }

// at turns an error of a part's parser into one with an offset.
func (c *Checker) at(err error) error {
	if err == nil {
		return nil
	}
	return c.wrongSince(err.Error())
}

// quoted returns a name for people to read, cut to a bearable length.
func quoted(name []byte) string { return fmt.Sprintf("%.64q", name) }
