package devicesim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"callhome-gateway/internal/netconf"
)

// Flaw is something that is wrong with the reply to an rpc. The rpc itself is
// carried out.
type Flaw string

// The flaws that replies can have.
const (
	FlawNone        Flaw = ""
	FlawTwice       Flaw = "twice"       // the reply comes twice
	FlawWrongID     Flaw = "wrong-id"    // its message-id is another
	FlawNoID        Flaw = "no-id"       // it has no message-id, nor other attributes
	FlawUnsolicited Flaw = "unsolicited" // one to an rpc that there never was comes in front
	FlawNever       Flaw = "never"       // there is no reply
	FlawSwapped     Flaw = "swapped"     // it comes behind the next reply of the session
	FlawOtherRoot   Flaw = "other-root"  // a document that is no NETCONF message comes instead
	FlawHugeTag     Flaw = "huge-tag"    // its start tag has an attribute of 1 MiB
	FlawMalformed   Flaw = "malformed"   // its tags do not match
	FlawHalf        Flaw = "half"        // its end tag is missing, and nothing comes after it
	FlawClosed      Flaw = "closed"      // the session is closed instead
)

var flaws = []Flaw{FlawTwice, FlawWrongID, FlawNoID, FlawUnsolicited, FlawNever, FlawSwapped,
	FlawOtherRoot, FlawHugeTag, FlawMalformed, FlawHalf, FlawClosed}

// hugeTag is the size of what a start tag is made long with.
const hugeTag = 1 << 20

// errFlaw ends a session that a flaw is to end.
var errFlaw = errors.New("the device ended the session as it was told to")

// flawed answers ok, with the flaw that it is given.
func (s *session) flawed(op *node) (reply, *netconf.RPCError) {
	flaw := Flaw(op.paramText("flaw"))
	if !slices.Contains(flaws, flaw) {
		return reply{}, errBadElement("flaw")
	}
	return reply{flaw: flaw}, nil
}

// send sends the reply to an rpc with the flaw that it is to have, and one
// that was held back behind it.
func (s *session) send(head netconf.Head, r reply, fault *netconf.RPCError) error {
	flaw := r.flaw
	if flaw == FlawNone {
		flaw = s.device.o.Flaw(s.id, head)
	}
	held := s.held
	s.held = nil
	if err := s.sendFlawed(flaw, head, answer(head, r, fault)); err != nil || held == nil {
		return err
	}
	return s.write(held)
}

func (s *session) sendFlawed(flaw Flaw, head netconf.Head, m *netconf.Message) error {
	switch flaw {
	case FlawNone:
		return s.write(m)
	case FlawNever:
		return nil
	case FlawClosed:
		return errFlaw
	case FlawSwapped:
		s.held = m
		return nil
	case FlawUnsolicited:
		unknown := netconf.OKReply(netconf.Head{Kind: netconf.KindRPC, ID: "unsolicited", HasID: true})
		if err := s.write(document(unknown)); err != nil {
			return err
		}
		return s.write(m)
	}
	doc, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	if flaw == FlawHalf {
		return s.sendHalf(doc)
	}
	for _, part := range spoil(flaw, head, doc) {
		if err := s.write(document(part)); err != nil {
			return err
		}
	}
	return nil
}

// spoil returns what is sent instead of a reply.
func spoil(flaw Flaw, head netconf.Head, doc []byte) [][]byte {
	switch flaw {
	case FlawTwice:
		return [][]byte{doc, doc}
	case FlawWrongID:
		return [][]byte{netconf.OKReply(netconf.Head{Kind: netconf.KindRPC, ID: head.ID + "-wrong", HasID: true})}
	case FlawNoID:
		return [][]byte{netconf.OKReply(netconf.Head{Kind: netconf.KindRPC})}
	case FlawHugeTag:
		const name = "rpc-reply"
		start, rest, _ := bytes.Cut(doc, []byte(name))
		long := name + ` long="` + strings.Repeat("x", hugeTag) + `"`
		return [][]byte{slices.Concat(start, []byte(long), rest)}
	case FlawMalformed:
		end := bytes.LastIndex(doc, []byte("</"))
		return [][]byte{append(bytes.Clone(doc[:end]), "</wrong>"...)}
	default: // FlawOtherRoot
		return [][]byte{[]byte(`<other xmlns="` + NamespaceSim + `"/>`)}
	}
}

// sendHalf sends a document up to its last end tag, and then nothing: what the
// peer sends is read and ignored until it leaves.
func (s *session) sendHalf(doc []byte) error {
	half := io.MultiReader(bytes.NewReader(doc[:bytes.LastIndex(doc, []byte("</"))]), failing{})
	if err := s.write(&netconf.Message{Size: -1, Body: half}); !errors.Is(err, errFlaw) {
		return err
	}
	_, _ = io.Copy(io.Discard, s.stream)
	return errFlaw
}

// failing is where half a document ends.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFlaw }

// Send sends a document of whatever kind on a session that has exchanged
// hellos, between its other messages: a reply to nothing, for example.
func (d *Device) Send(session uint32, doc string) error {
	d.mu.Lock()
	s := d.sessions[session]
	d.mu.Unlock()
	if s == nil || !s.up.Load() {
		return fmt.Errorf("%s has no session %d", d.o.Name, session)
	}
	return s.write(document([]byte(doc)))
}
