package devicesim

import (
	"cmp"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"time"

	"callhome-gateway/internal/netconf"
)

// NamespaceSim is the namespace of what only simulated devices have: their
// configuration, and the operations blob, sleep, echo, notify and flawed.
const NamespaceSim = "urn:callhome-gateway:sim"

const maxSleep = time.Hour

func simName(local string) xml.Name { return xml.Name{Space: NamespaceSim, Local: local} }

// blob answers with as many bytes of text as asked for, or with elements of not
// more, without holding them.
func (s *session) blob(op *node) (reply, *netconf.RPCError) {
	text, fault := blobText(op)
	return reply{stream: text}, fault
}

// blobData is the same as data: what get and get-config answer to a subtree
// filter that has a blob with its size in it.
func blobData(filter *node) (reply, *netconf.RPCError) {
	text, fault := blobText(filter)
	if fault != nil {
		return reply{}, fault
	}
	return reply{stream: io.MultiReader(
		strings.NewReader(`<data xmlns="`+netconf.NamespaceBase+`">`), text, strings.NewReader(`</data>`),
	)}, nil
}

func blobText(blob *node) (io.Reader, *netconf.RPCError) {
	size, err := strconv.ParseInt(blob.paramText("size"), 10, 64)
	if err != nil || size < 0 {
		return nil, errBadElement("size")
	}
	filling := &filler{text: fillerText, left: size}
	if blob.child(simName("elements")) != nil {
		filling = &filler{text: fillerElements, left: size - size%int64(len(fillerElement))}
	}
	return io.MultiReader(
		strings.NewReader(`<blob xmlns="`+NamespaceSim+`">`),
		filling,
		strings.NewReader(`</blob>`),
	), nil
}

// fillerText is text in lines of 64 bytes.
var fillerText = strings.Repeat(strings.Repeat("0123456789abcdef", 4)[:63]+"\n", 1024)

// fillerElements are elements as configurations have them, many to a line of text.
var fillerElements = strings.Repeat(fillerElement, 512)

const fillerElement = "<interface>\n  <name>GigabitEthernet0/0/0/17</name>\n  <description>uplink</description>\n" +
	"  <enabled>true</enabled>\n  <mtu>9000</mtu>\n  <ipv4><address><ip>192.0.2.1</ip><prefix-length>24</prefix-length></address></ipv4>\n</interface>\n"

// filler reads as as much of a text, again and again.
type filler struct {
	text         string
	left, offset int64
}

func (f *filler) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), f.left)], f.text[f.offset:])
	f.left -= int64(n)
	f.offset = (f.offset + int64(n)) % int64(len(f.text))
	return n, nil
}

// sleep answers after a time, in which the session does nothing else.
func (s *session) sleep(op *node) (reply, *netconf.RPCError) {
	ms, err := strconv.ParseInt(op.paramText("milliseconds"), 10, 64)
	if err != nil || ms < 0 || ms > maxSleep.Milliseconds() {
		return reply{}, errBadElement("milliseconds")
	}
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
	return reply{}, nil
}

// echo answers with what it was given.
func (s *session) echo(op *node) (reply, *netconf.RPCError) {
	return content(op), nil
}

// emit makes the event happen that it is given, on NETCONF or another stream.
func (s *session) emit(op *node) (reply, *netconf.RPCError) {
	stream := cmp.Or(op.paramText("stream"), streamName)
	if !s.device.o.streams(stream) {
		return reply{}, errInvalidValue("there is no stream of that name")
	}
	given := op.param("event")
	if given == nil || len(given.kids) != 1 {
		return reply{}, errMissingElement("event")
	}
	happened := event{at: time.Now(), stream: stream, content: given.kids[0]}
	return reply{then: func() { s.device.events.publish(happened) }}, nil
}

// defaultConfig is the configuration of a device that was given none.
func defaultConfig(name string) *node {
	return branch(xml.Name{}, branch(simName("system"),
		leaf(simName("hostname"), name),
		leaf(simName("location"), "simulated")))
}

// state returns the state data of the device: its own, and the event streams
// that RFC 5277 section 3.2.5.1 asks for.
func (d *Device) state() []*node {
	sessions := branch(simName("sessions"))
	for _, s := range d.openSessions() {
		sessions.kids = append(sessions.kids, branch(simName("session"),
			leaf(simName("id"), strconv.FormatUint(uint64(s.id), 10)),
			leaf(simName("username"), s.user),
			leaf(simName("since"), s.since.UTC().Format(time.RFC3339))))
	}
	uptime := int64(time.Since(d.started).Seconds())
	return []*node{
		branch(simName("state"), leaf(simName("uptime"), strconv.FormatInt(uptime, 10)), sessions),
		d.streamsState(),
	}
}

func (d *Device) streamsState() *node {
	all := branch(managementName("streams"))
	for _, name := range append([]string{streamName}, d.o.Streams...) {
		stream := branch(managementName("stream"),
			leaf(managementName("name"), name),
			leaf(managementName("description"), "events of this device"),
			leaf(managementName("replaySupport"), strconv.FormatBool(d.o.Replay > 0)))
		if d.o.Replay > 0 {
			created := leaf(managementName("replayLogCreationTime"), d.started.UTC().Format(time.RFC3339))
			stream.kids = append(stream.kids, created)
		}
		all.kids = append(all.kids, stream)
	}
	return branch(managementName("netconf"), all)
}
