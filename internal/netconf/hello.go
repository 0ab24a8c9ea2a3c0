package netconf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	maxHelloSize    = 1 << 20
	maxCapabilities = 16384
)

// Hello is what one side of a session said of itself (RFC 6241 section 8.1).
type Hello struct {
	Capabilities []string
	// SessionID is set in a server's hello only.
	SessionID uint32
	// Raw is the document as it was received; nil for one made here.
	Raw []byte
}

// ReadHello reads a message that must be a hello of at most 1 MiB and 16384
// capabilities.
func ReadHello(r *Reader) (*Hello, error) {
	m, err := r.Next()
	if err != nil {
		return nil, fmt.Errorf("reading hello: %w", err)
	}
	doc, err := io.ReadAll(io.LimitReader(m.Body, maxHelloSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading hello: %w", err)
	}
	return ParseHello(bytes.Clone(doc))
}

// ParseHello parses a hello of at most 1 MiB and 16384 capabilities. It keeps
// doc. A hello in no namespace at all is taken too: old devices send it.
func ParseHello(doc []byte) (*Hello, error) {
	if len(doc) > maxHelloSize {
		return nil, fmt.Errorf("hello exceeds %d bytes", maxHelloSize)
	}
	if err := wellFormed(doc); err != nil {
		return nil, fmt.Errorf("bad hello: %w", err)
	}
	p := helloParser{hello: Hello{Raw: doc}}
	if err := p.parse(xml.NewDecoder(bytes.NewReader(doc))); err != nil {
		return nil, fmt.Errorf("bad hello: %w", err)
	}
	return &p.hello, nil
}

// wellFormed checks what encoding/xml does not: a hello is passed on as it is.
func wellFormed(doc []byte) error {
	c := NewChecker()
	if _, err := c.Write(doc); err != nil {
		return err
	}
	_, err := c.Finish()
	return err
}

// helloParser collects what a hello says while its tokens pass.
type helloParser struct {
	hello Hello
	path  []xml.Name // of the elements that are open
	text  strings.Builder
}

func (p *helloParser) parse(d *xml.Decoder) error {
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.token(t); err != nil {
			return err
		}
	}
}

func (p *helloParser) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		return p.start(t.Name)
	case xml.EndElement:
		return p.end()
	case xml.CharData:
		if p.isCapability() || p.isSessionID() {
			p.text.Write(t)
		}
	}
	return nil
}

func (p *helloParser) start(n xml.Name) error {
	if len(p.path) == 0 && (n.Local != "hello" || n.Space != NamespaceBase && n.Space != "") {
		return fmt.Errorf("the root element is %.64q in namespace %.64q", n.Local, n.Space)
	}
	p.path = append(p.path, n)
	p.text.Reset()
	return nil
}

func (p *helloParser) end() error {
	defer func() { p.path = p.path[:len(p.path)-1] }()
	text := strings.TrimSpace(p.text.String())
	h := &p.hello
	switch {
	case p.isSessionID():
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil || id == 0 || h.SessionID != 0 {
			return fmt.Errorf("session-id is not one number from 1 to 4294967295: %.64q", text)
		}
		h.SessionID = uint32(id)
	case p.isCapability() && text != "":
		if len(h.Capabilities) == maxCapabilities {
			return fmt.Errorf("more than %d capabilities", maxCapabilities)
		}
		h.Capabilities = append(h.Capabilities, text)
	}
	return nil
}

func (p *helloParser) isCapability() bool {
	return len(p.path) == 3 && p.inRootSpace(1, "capabilities") && p.inRootSpace(2, "capability")
}

func (p *helloParser) isSessionID() bool {
	return len(p.path) == 2 && p.inRootSpace(1, "session-id")
}

func (p *helloParser) inRootSpace(depth int, local string) bool {
	return p.path[depth] == xml.Name{Space: p.path[0].Space, Local: local}
}

// Has reports whether the capability is listed, with whatever ?parameters.
func (h *Hello) Has(capability string) bool {
	return slices.ContainsFunc(h.Capabilities, func(c string) bool {
		uri, _, _ := strings.Cut(c, "?")
		return uri == capability
	})
}

// Document returns a hello document with the capabilities and, unless it is
// 0, the session-id. Raw is not used.
func (h *Hello) Document() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + `<hello xmlns="` + NamespaceBase + `"><capabilities>`)
	for _, c := range h.Capabilities {
		b.WriteString("<capability>" + escape(c) + "</capability>")
	}
	b.WriteString("</capabilities>")
	if h.SessionID != 0 {
		fmt.Fprintf(&b, "<session-id>%d</session-id>", h.SessionID)
	}
	b.WriteString("</hello>")
	return b.Bytes()
}

// WithBase10 returns the hello as it was received, with base:1.0 added when
// absent: the gateway speaks it to every manager, whatever the device speaks.
func (h *Hello) WithBase10() []byte {
	if h.Has(CapabilityBase10) {
		if h.Raw == nil {
			return h.Document()
		}
		return h.Raw
	}
	start, end, prefix, ok := findCapabilities(h.Raw)
	if !ok {
		more := Hello{Capabilities: append([]string{CapabilityBase10}, h.Capabilities...), SessionID: h.SessionID}
		return more.Document()
	}
	var b bytes.Buffer
	b.Grow(len(h.Raw) + 128)
	tag := h.Raw[start:end]
	added := "<" + prefix + "capability>" + CapabilityBase10 + "</" + prefix + "capability>"
	b.Write(h.Raw[:start])
	if empty, ok := bytes.CutSuffix(tag, []byte("/>")); ok {
		b.Write(empty)
		b.WriteString(">" + added + "</" + prefix + "capabilities>")
	} else {
		b.Write(tag)
		b.WriteString(added)
	}
	b.Write(h.Raw[end:])
	return b.Bytes()
}

// findCapabilities returns where the start tag of capabilities stands in a
// hello, and its prefix with the colon.
func findCapabilities(doc []byte) (start, end int, prefix string, ok bool) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for depth := 0; ; {
		start = int(d.InputOffset())
		t, err := d.RawToken()
		if err != nil {
			return 0, 0, "", false
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 1 && t.Name.Local == "capabilities" {
				if t.Name.Space != "" {
					prefix = t.Name.Space + ":"
				}
				return start, int(d.InputOffset()), prefix, true
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
}

// CommonFraming returns the framing that both sides of a session use after
// their hellos (RFC 6242 section 4.1), or an error where they share no base
// version.
func CommonFraming(a, b *Hello) (Framing, error) {
	switch {
	case a.Has(CapabilityBase11) && b.Has(CapabilityBase11):
		return Chunked, nil
	case a.Has(CapabilityBase10) && b.Has(CapabilityBase10):
		return EndOfMessage, nil
	}
	return 0, errors.New("no common base version: one side lacks " + CapabilityBase10 + ", one " + CapabilityBase11)
}
