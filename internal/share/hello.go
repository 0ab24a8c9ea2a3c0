package share

import (
	"slices"
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

// offer returns the device's capabilities that managers are shown, in their
// order and text.
func offer(device *netconf.Hello, exclusive bool) []string {
	if exclusive {
		return device.Capabilities
	}
	var offered []string
	for _, c := range device.Capabilities {
		if honoured(device, c) {
			offered = append(offered, c)
		}
	}
	return offered
}
