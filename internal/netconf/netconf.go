// Package netconf reads and writes NETCONF messages: the two framings of
// RFC 6242, hellos, message heads, well-formedness, and rpc-errors. It knows
// no transport and imports nothing else of this project.
package netconf

import "io"

// Names that the protocol fixes.
const (
	// NamespaceBase is the namespace of rpc, rpc-reply and hello (RFC 6241).
	NamespaceBase = "urn:ietf:params:xml:ns:netconf:base:1.0"
	// NamespaceNotification is the namespace of notification (RFC 5277).
	NamespaceNotification = "urn:ietf:params:xml:ns:netconf:notification:1.0"

	CapabilityBase10 = "urn:ietf:params:netconf:base:1.0"
	CapabilityBase11 = "urn:ietf:params:netconf:base:1.1"
)

// Framing is how messages are delimited on a byte stream.
type Framing uint8

const (
	// EndOfMessage ends each message with "]]>]]>" (RFC 6242 section 4.3);
	// every session starts with it, and base:1.0 sessions keep it.
	EndOfMessage Framing = iota
	// Chunked is the framing of base:1.1 sessions (RFC 6242 section 4.2).
	Chunked
)

func (f Framing) String() string {
	if f == Chunked {
		return "chunked"
	}
	return "end-of-message"
}

// Kind says what the root element of a message is.
type Kind uint8

// The kinds of message. A root element in the wrong namespace is KindOther.
const (
	KindOther Kind = iota
	KindHello
	KindRPC
	KindReply
	KindNotification
)

func (k Kind) String() string {
	return [...]string{"other", "hello", "rpc", "rpc-reply", "notification"}[k]
}

// Name is an XML name with its namespace resolved.
type Name struct{ Space, Local string }

// Head is what the gateway needs to know of a message without keeping it.
type Head struct {
	Kind Kind
	// Op is the operation of an rpc: its first child element. Of a
	// notification it is the event: the first child but eventTime.
	Op Name
	// Target is the datastore that the operation works on ("running",
	// "candidate", "startup", or "url"): of edit-config, edit-data,
	// copy-config, delete-config, lock, unlock, and get-config, get-data and
	// validate (their source). One that is not in the base namespace is
	// "{namespace}name".
	Target string
	// ID is the message-id of an rpc or rpc-reply, entities resolved; HasID
	// tells an absent one from an empty one.
	ID    string
	HasID bool
	// Attributes is the text between the root's name and the end of its start
	// tag as it was sent: an rpc-reply carries all of its rpc's attributes
	// (RFC 6241 section 4.2). Namespace declarations are among them.
	Attributes string
	// SessionID is the argument of kill-session, white space trimmed. Peers
	// take numbers in several forms ("07", "+7"): compare it as a number, and
	// refuse what is not one in plain decimal digits.
	SessionID string
	// Ambiguous is set on an rpc with more than one operation, or more than
	// one of what Target or SessionID was taken from, or with that in another
	// namespace or in pieces, or with one of these in a namespace whose name has
	// "&" in it, or with an element of XInclude anywhere: peers differ on what
	// they make of it, so such an rpc is to be refused.
	Ambiguous bool
	// Outcome is what an rpc-reply says of its rpc. It is known once the whole
	// reply has been found well-formed.
	Outcome Outcome
	// idText is where in the document the value of message-id stands.
	idText span
	// echo is how long Attributes without that value may come back.
	echo int
	// prefix is that of the root element, with the colon, or empty. It is
	// known whenever Attributes is.
	prefix string
}

// Message is one NETCONF message. Body yields the document from its first
// byte, without framing. A Body that comes from a Reader is valid until the
// next call of Next and streams: reading it may block on the peer.
type Message struct {
	Head Head
	// Size is the length of Body in bytes, or -1 while it is not known.
	Size int64
	Body io.Reader
	// InPlace is set on a reply that is the gateway's, in the device's place: what
	// it answers has not reached the device.
	InPlace bool
}
