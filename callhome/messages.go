package callhome

import "callhome-gateway/internal/netconf"

// The NETCONF messages that a Session carries, named here so that programs
// outside this module can use them.
type (
	// Message is one NETCONF message; its Body streams.
	Message = netconf.Message
	// Head is what is known of a message from its first elements.
	Head = netconf.Head
	// Hello is what the device said of itself.
	Hello = netconf.Hello
	// Kind says what a message is.
	Kind = netconf.Kind
	// Framing is how messages are delimited on a session.
	Framing = netconf.Framing
)

// The kinds of message that a session carries, and the framings.
const (
	KindRPC          = netconf.KindRPC
	KindReply        = netconf.KindReply
	KindNotification = netconf.KindNotification

	EndOfMessage = netconf.EndOfMessage
	Chunked      = netconf.Chunked
)
