package share

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"callhome-gateway/internal/netconf"
)

const (
	// maxArguments bounds how much of a request is looked at for arguments.
	maxArguments = 64 << 10
	// confirmTimeout is the default of RFC 6241 section 8.4.1.
	confirmTimeout = 600 * time.Second
	// defaultStream is that of RFC 5277 section 2.1.1.
	defaultStream = "NETCONF"
)

// readArguments reads what is not in the message's head, where the operation
// has such arguments.
func (o *operation) readArguments(m *netconf.Message) *netconf.RPCError {
	var use func([]argument) error
	switch {
	case o.class == commit, o.class == cancelCommit:
		use = o.commitArguments
	case o.class == subscribe:
		use = o.subscribeArguments
	case o.name.Local == "copy-config" && o.class == edit:
		use = o.copyArguments
	case (o.class == lock || o.class == unlock) && o.target == "{"+spaceNMDA+"}datastore":
		use = o.lockArguments
	default:
		return nil
	}
	arguments, whole := parseArguments(peek(m))
	// The source of copy-config may be long, but its name comes first.
	if !whole && (o.class != edit || !hasArgument(arguments, "source")) {
		return &netconf.RPCError{Type: "rpc", Tag: "too-big",
			Message: "the arguments of " + o.name.Local + " are more than a shared session can look at: longer than 64 KiB, or with names of other characters than XML 1.0 had at first"}
	}
	if err := use(arguments); err != nil {
		return refuse("operation-failed", err.Error())
	}
	return nil
}

// peek returns the start of a message, and puts it back.
func peek(m *netconf.Message) []byte {
	size := int64(maxArguments)
	if m.Size >= 0 {
		size = min(size, m.Size)
	}
	start := make([]byte, size)
	n, _ := io.ReadFull(m.Body, start) // an error comes again
	m.Body = io.MultiReader(bytes.NewReader(start[:n]), m.Body)
	return start[:n]
}

func hasArgument(arguments []argument, local string) bool {
	return slices.ContainsFunc(arguments, func(a argument) bool { return a.name.Local == local && a.first != "" })
}

// argument is a child element of an operation.
type argument struct {
	name xml.Name
	text string // trimmed
	// first is the name of its first child element.
	first string
	// canonical is the same for arguments that mean the same.
	canonical string
}

// parseArguments returns the child elements of the operation of a document that
// is known to be well-formed, and whether it was all there.
func parseArguments(doc []byte) (arguments []argument, whole bool) {
	p := argumentParser{declared: map[string]bool{}}
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		t, err := d.Token()
		if err != nil {
			return p.finish(), err == io.EOF
		}
		p.token(t)
	}
}

const (
	depthOperation = 2
	depthArgument  = 3
)

// argumentParser collects arguments while their tokens pass.
type argumentParser struct {
	depth     int
	arguments []argument
	text      strings.Builder
	canonical strings.Builder
	declared  map[string]bool // namespace declarations
}

func (p *argumentParser) token(t xml.Token) {
	switch t := t.(type) {
	case xml.StartElement:
		p.depth++
		p.start(t)
	case xml.EndElement:
		if p.depth >= depthArgument {
			p.canonical.WriteString("</>")
		}
		if p.depth == depthArgument {
			p.close()
		}
		p.depth--
	case xml.CharData:
		if text := strings.TrimSpace(string(t)); p.depth >= depthArgument && text != "" {
			p.text.WriteString(text)
			fmt.Fprintf(&p.canonical, "%q", text)
		}
	}
}

func (p *argumentParser) start(t xml.StartElement) {
	var attributes []string
	for _, a := range t.Attr {
		text := fmt.Sprintf("%q=%q", a.Name, a.Value)
		if a.Name.Space == "xmlns" {
			p.declared[text] = true
		} else if a.Name.Local != "xmlns" || a.Name.Space != "" {
			attributes = append(attributes, text)
		}
	}
	switch {
	case p.depth == depthArgument:
		p.arguments = append(p.arguments, argument{name: t.Name})
		p.text.Reset()
		p.canonical.Reset()
	case p.depth == depthArgument+1 && p.last().first == "":
		p.last().first = t.Name.Local
	}
	if p.depth >= depthArgument {
		slices.Sort(attributes)
		fmt.Fprintf(&p.canonical, "<%q %s>", t.Name, strings.Join(attributes, " "))
	}
}

func (p *argumentParser) last() *argument { return &p.arguments[len(p.arguments)-1] }

func (p *argumentParser) close() {
	a := p.last()
	a.text, a.canonical = p.text.String(), p.canonical.String()
}

// finish adds the declared prefixes to what may have some in its values, as an
// XPath filter has: these mean the same only if the declarations do.
func (p *argumentParser) finish() []argument {
	var declared []string
	for d := range p.declared {
		declared = append(declared, d)
	}
	slices.Sort(declared)
	for i := range p.arguments {
		if a := &p.arguments[i]; strings.Contains(a.canonical, ":") {
			a.canonical += strings.Join(declared, " ")
		}
	}
	return p.arguments
}

// find returns the arguments of those names. One that is there twice, or in
// another namespace than it should be, is refused: peers differ on which of
// them they use.
func find(arguments []argument, space string, names ...string) (map[string]argument, error) {
	found := make(map[string]argument, len(names))
	for _, a := range arguments {
		if !slices.Contains(names, a.name.Local) {
			continue
		}
		if _, twice := found[a.name.Local]; twice || a.name.Space != space {
			return nil, fmt.Errorf("%s occurs twice, or in another namespace than %s", a.name.Local, space)
		}
		found[a.name.Local] = a
	}
	return found, nil
}

func (o *operation) commitArguments(arguments []argument) error {
	found, err := find(arguments, spaceBase, "confirmed", "confirm-timeout", "persist", "persist-id")
	if err != nil {
		return err
	}
	_, o.confirmed = found["confirmed"]
	_, o.persist = found["persist"]
	_, o.persistID = found["persist-id"]
	o.timeout = confirmTimeout
	if n, err := strconv.ParseUint(found["confirm-timeout"].text, 10, 32); err == nil {
		o.timeout = time.Duration(n) * time.Second
	}
	return nil
}

func (o *operation) copyArguments(arguments []argument) error {
	found, err := find(arguments, spaceBase, "source")
	o.source = found["source"].first
	return err
}

// lockArguments reads the datastore that stands in the target as RFC 8526
// section 3.2 has it: an identity, under whatever prefix.
func (o *operation) lockArguments(arguments []argument) error {
	found, err := find(arguments, spaceBase, "target")
	_, name, ok := strings.Cut(found["target"].text, ":")
	if !ok {
		name = found["target"].text
	}
	o.target = name
	return err
}

func (o *operation) subscribeArguments(arguments []argument) error {
	found, err := find(arguments, spaceNotification, "stream", "filter", "startTime", "stopTime")
	if err != nil {
		return err
	}
	_, starts := found["startTime"]
	_, o.stops = found["stopTime"]
	o.timed = starts || o.stops
	stream, ok := found["stream"]
	if ok && stream.text == "" {
		return errors.New("the stream has no name")
	}
	if !ok {
		stream.text = defaultStream
	}
	key := []string{strconv.Quote(stream.text)}
	for _, a := range arguments {
		if a.name.Local != "stream" {
			key = append(key, a.canonical)
		}
	}
	slices.Sort(key)
	o.events = strings.Join(key, "\n")
	return nil
}
