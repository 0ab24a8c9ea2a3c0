package callhome

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"
)

// cause says why the handshake ended, in our words where what crypto/tls says
// tells a person nothing. It then prefers what the network said.
func (l *tlsLogin) cause(err error) string {
	if known := l.knownCause(err); known != "" {
		return known
	}
	if failure := l.call.failed(); failure != nil {
		err = failure
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the device closed the connection during the handshake"
	}
	return Quote(err.Error())
}

// The alerts with which a device finds nothing in common (RFC 8446 section 6.2).
const (
	alertHandshakeFailure tls.AlertError = 40
	alertProtocolVersion  tls.AlertError = 70
)

// unreadable is how crypto/tls begins its error about a certificate that
// crypto/x509 cannot parse. Neither this nor clientHello has a type.
const (
	unreadable  = "tls: failed to parse certificate from server: "
	clientHello = "unexpected handshake message of type *tls.clientHelloMsg"
)

func (l *tlsLogin) knownCause(err error) string {
	reason, isUnreadable := strings.CutPrefix(err.Error(), unreadable)
	switch alert := alertOf(err); {
	case isUnreadable:
		return "the device's certificate cannot be read (" + Quote(reason) + "): issue the device a new certificate"
	case strings.Contains(err.Error(), clientHello):
		return "it is a TLS client: devices are the server here; managers connect to the gateway's ports"
	case alert == alertProtocolVersion:
		return "the device has neither TLS 1.2 nor 1.3 in common with the gateway"
	case alert == alertHandshakeFailure && !l.answered:
		return "the device has no cipher suite or curve in common: ECDHE with AES-GCM or ChaCha20 is needed"
	}
	return ""
}
