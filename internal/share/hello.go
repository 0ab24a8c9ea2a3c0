package share

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"callhome-gateway/internal/netconf"
)

// Capabilities that matter here.
const (
	capCandidate    = "urn:ietf:params:netconf:capability:candidate:1.0"
	capConfirmed10  = "urn:ietf:params:netconf:capability:confirmed-commit:1.0"
	capConfirmed11  = "urn:ietf:params:netconf:capability:confirmed-commit:1.1"
	capNotification = "urn:ietf:params:netconf:capability:notification:1.0"
	capInterleave   = "urn:ietf:params:netconf:capability:interleave:1.0"
)

// private are capabilities whose operations leave something in the session
// that one manager would share with all others.
var private = []string{
	"urn:ietf:params:netconf:capability:partial-lock:1.0",
	"urn:ietf:params:netconf:capability:private-candidate:1.0",
	"http://tail-f.com/ns/netconf/transactions/1.0",
}

// honoured reports whether a capability of the device can be offered to
// several managers. Without :interleave a subscriber's session takes no rpc
// (RFC 5277 section 6), hence nobody's would.
func honoured(device *netconf.Hello, capability string) bool {
	uri, _, _ := strings.Cut(capability, "?")
	if uri == capNotification {
		return device.Has(capInterleave)
	}
	return !slices.Contains(private, uri)
}

// helloFor returns the device's hello with another session-id, and without the
// capabilities that are not kept; the rest of its text stays as it is.
func helloFor(device *netconf.Hello, id uint32, keep func(capability string) bool) *netconf.Hello {
	h := &netconf.Hello{SessionID: id}
	for _, c := range device.Capabilities {
		if keep(c) {
			h.Capabilities = append(h.Capabilities, c)
		}
	}
	if h.Raw = editHello(device.Raw, id, keep); h.Raw == nil {
		h.Raw = h.Document()
	}
	return h
}

// cut is a part of a document and what takes its place.
type cut struct {
	start, end int
	text       string
}

// editHello does the work of helloFor on the text. It returns nil where there
// is none, or no session-id in it.
func editHello(doc []byte, id uint32, keep func(string) bool) []byte {
	cuts, ok := helloCuts(doc, id, keep)
	if !ok {
		return nil
	}
	var b bytes.Buffer
	done := 0
	for _, c := range cuts {
		b.Write(doc[done:c.start])
		b.WriteString(c.text)
		done = c.end
	}
	b.Write(doc[done:])
	return b.Bytes()
}

// helloCuts finds what has to go from a hello, which is known to be sound.
func helloCuts(doc []byte, id uint32, keep func(string) bool) (cuts []cut, ok bool) {
	var path []string
	var text strings.Builder
	var tag, inner int // where the start tag starts and ends
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		before := int(d.InputOffset())
		token, err := d.RawToken()
		if err != nil {
			return cuts, ok
		}
		switch t := token.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			tag, inner = before, int(d.InputOffset())
			text.Reset()
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			switch where := strings.Join(path, " "); {
			case where == "hello session-id":
				cuts, ok = append(cuts, cut{inner, before, strconv.FormatUint(uint64(id), 10)}), true
			case where == "hello capabilities capability" && !keep(strings.TrimSpace(text.String())):
				cuts = append(cuts, cut{start: tag, end: int(d.InputOffset())})
			}
			path = path[:len(path)-1]
		}
	}
}
