package harness

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var libyangParser = program{directory: "xmlparsers", libraries: []string{"yang"}}

// Seen is an element that a parser has found in a document, in the first four
// levels.
type Seen struct {
	Depth        int // of the root: 1
	Space, Local string
	// Text is what stands in front of its first child.
	Text string
}

// Reading is what one parser makes of a document.
type Reading struct {
	Parser string
	// Strict says that the parser reads all that is XML and nothing else.
	Strict bool
	// RPC says that it has looked for an rpc that its YANG modules define, and
	// kept nothing else.
	RPC bool
	// Seen is in document order. There is none of a document that it refuses.
	Seen []Seen
}

// XMLParsers are parsers that devices use.
type XMLParsers struct{ peers []xmlPeer }

// xmlPeer is a program that reads each document in several ways.
type xmlPeer struct {
	in       io.Writer
	out      *bufio.Reader
	readings []Reading // without what was seen
}

// StartXMLParsers starts expat, libxml2, which netconfd uses, and libyang,
// which libnetconf2 uses. One test uses them at a time.
func StartXMLParsers(t testing.TB) *XMLParsers {
	t.Helper()
	Need(t, "libxml2", "libnetconf2")
	script := filepath.Join(repository(t), "tests", "peers", "xmlparsers", "parsers.py")
	return &XMLParsers{[]xmlPeer{
		startXMLPeer(t, exec.Command(python, script),
			Reading{Parser: "expat", Strict: true}, Reading{Parser: "libxml2", Strict: true}, Reading{Parser: "libxml2 in netconfd"}),
		startXMLPeer(t, exec.Command(libyangParser.binary(t), modulesOfYuma), Reading{Parser: "libyang"}, Reading{Parser: "libyang's rpc", RPC: true}),
	}}
}

func startXMLPeer(t testing.TB, cmd *exec.Cmd, readings ...Reading) xmlPeer {
	t.Helper()
	in, out := startPiped(t, "XML parsers", cmd)
	return xmlPeer{in, bufio.NewReader(out), readings}
}

// Read returns what each parser makes of each document.
func (p *XMLParsers) Read(documents ...string) ([][]Reading, error) {
	var asked []byte
	for _, d := range documents {
		asked = append(binary.BigEndian.AppendUint32(asked, uint32(len(d))), d...)
	}
	all := make([][]Reading, len(documents))
	for _, peer := range p.peers {
		written := make(chan error, 1)
		go func() {
			_, err := peer.in.Write(asked)
			written <- err
		}()
		for i, d := range documents {
			readings, err := peer.read()
			if err != nil {
				return nil, fmt.Errorf("%s has read %.1000q last: %w", peer.readings[0].Parser, d, err)
			}
			all[i] = append(all[i], readings...)
		}
		if err := <-written; err != nil {
			return nil, err
		}
	}
	return all, nil
}

// read takes the answers to one document.
func (p xmlPeer) read() (all []Reading, err error) {
	for _, r := range p.readings {
		var length uint32
		if err := binary.Read(p.out, binary.BigEndian, &length); err != nil {
			return nil, err
		}
		text := make([]byte, length)
		if _, err := io.ReadFull(p.out, text); err != nil {
			return nil, err
		}
		if r.Seen, err = parseSeen(string(text)); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// parseSeen reads an answer. Its marks are characters that XML does not have.
func parseSeen(answer string) (all []Seen, err error) {
	for _, part := range strings.Split(answer, "\x01")[1:] {
		name, text, _ := strings.Cut(part, "\x03")
		fields := strings.Split(name, "\x02")
		if len(fields) != 3 || len(fields[0]) != 1 {
			return nil, fmt.Errorf("not an answer: %.200q", answer)
		}
		all = append(all, Seen{int(fields[0][0] - '0'), fields[1], fields[2], strings.ReplaceAll(text, "\x03", "")})
	}
	return all, nil
}
