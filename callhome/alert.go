package callhome

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
)

// refusals are the alerts with which a device refuses our certificate (RFC 8446
// section 6.2) once it was sent, instead of ending the login for another reason.
var refusals = []tls.AlertError{
	40,  // handshake_failure: OpenSSL's when the application says no, as libnetconf2 does without a cert-to-name entry
	42,  // bad_certificate
	43,  // unsupported_certificate
	44,  // certificate_revoked
	45,  // certificate_expired
	46,  // certificate_unknown
	48,  // unknown_ca
	49,  // access_denied
	116, // certificate_required
}

// alertOf returns the alert with which the device ended the connection, or 0.
// crypto/tls reports it as a net.OpError of "remote error" around a type that
// it exports for QUIC only, with the same text.
func alertOf(err error) tls.AlertError {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return 0
	}
	for alert := tls.AlertError(1); alert != 0; alert++ {
		if alert.Error() == remote.Err.Error() {
			return alert
		}
	}
	return 0
}

// refusesCertificate reports whether the error is a device's refusal of our
// certificate, which it was sent.
func refusesCertificate(err error) bool { return slices.Contains(refusals, alertOf(err)) }
