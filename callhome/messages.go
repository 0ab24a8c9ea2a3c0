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
	// Framing is how messages are delimited on a session.
	Framing = netconf.Framing
)

// KindRPC is the Head.Kind of a request.
const KindRPC = netconf.KindRPC
