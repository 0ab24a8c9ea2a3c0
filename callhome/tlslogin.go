package callhome

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"callhome-gateway/auth"
)

// tlsSuites are for TLS 1.2; those of 1.3 are not a choice. All are ECDHE: with
// the RSA key exchange a device has not proved its key yet when it asks for
// our certificate.
var tlsSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// tlsLogin is the TLS handshake on one call, as the client, stage B within it:
// the client certificate is chosen and sent once the device has proved its own.
type tlsLogin struct {
	server *Server
	call   *callConn
	plan   *plan
	pace   *pace

	// claim is what the device shows, until it has proved it.
	claim proof
	heard keyProof
	verdict
	answered bool // the handshake was given our certificate
}

// loginTLS is the part of the accept procedure that loginSSH is for SSH.
func (c *call) loginTLS(ctx context.Context) (*Link, *rejection) {
	l := &tlsLogin{server: c.server, call: c.conn, plan: c.plan, pace: c.pace(ctx, wholeTLS)}
	conn, err := l.run(ctx)
	c.binding, c.proof = l.binding, l.claim
	if err != nil {
		r, refused := l.outcome(err)
		return nil, c.failed(r, refused)
	}
	link, over := c.newLink(), l.over
	*l = tlsLogin{} // crypto/tls holds on to it for as long as the connection lives
	link.bearer = newTLSBearer(link, conn)
	return c.establish(ctx, link, over)
}

// run returns the connection after the handshake. In TLS 1.3 the device has not
// answered to our certificate by then: it does with what it sends first.
func (l *tlsLogin) run(ctx context.Context) (*tls.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = l.call.Close() })
	defer stop()
	l.pace.ticket.greets = true
	if err := l.pace.take(); err != nil {
		return nil, err
	}
	l.call.overheard = l.heard.hear
	conn := tls.Client(l.call, l.config(ctx))
	err := conn.Handshake()
	l.call.overheard = nil
	if err == nil && !l.answered {
		err = l.neverAsked(ctx)
	}
	if err != nil {
		return nil, err
	}
	return conn, l.call.SetDeadline(time.Time{})
}

// config is for one handshake. There is no SNI: the device called, and has no
// name that the gateway would know it by yet.
func (l *tlsLogin) config(ctx context.Context) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		CipherSuites:           tlsSuites,
		SessionTicketsDisabled: true,
		InsecureSkipVerify:     true, // stage B verifies
		VerifyConnection:       l.checkClaim,
		GetClientCertificate: func(cri *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return l.clientCertificate(ctx, cri)
		},
	}
}

// checkClaim sees the device's certificates before it has proved the key. It
// refuses what concerns no known device and leaves no trace; all else is for
// when it is proved.
func (l *tlsLogin) checkClaim(state tls.ConnectionState) error {
	l.claim = proof{identity: auth.CertificateIdentity(state.PeerCertificates[0]), certificates: state.PeerCertificates}
	b, r := l.server.bind(l.plan, l.claim)
	if r == nil || b.name != "" || r.reason == RejectedPending {
		return nil
	}
	l.rejected = reject(r.reason, "%s (the certificate is %s; its key was not proved yet)", r.detail, l.claim.identity)
	l.call.mute()
	return l.rejected
}

var errKeyNotProved = errors.New("the device asked for a client certificate without proof that it has the key of its own")

// clientCertificate is stage B, once the device has proved its key. crypto/tls
// calls it after the signature was checked: in 1.3 sendClientCertificate runs
// after readServerCertificate and readServerFinished (handshake of
// handshake_client_tls13.go), in 1.2 doFullHandshake of handshake_client.go
// comes to it behind processServerKeyExchange, if the device did not leave that
// out (see keyProof). On an error no certificate is sent.
func (l *tlsLogin) clientCertificate(ctx context.Context, cri *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if cri.Version == tls.VersionTLS12 && !l.heard.proved {
		return nil, errKeyNotProved
	}
	l.decide(ctx)
	if l.rejected != nil {
		l.call.mute()
		return nil, l.rejected
	}
	l.answered = true
	l.pace.trusted(l.binding.trusted())
	return &l.binding.user.TLS.Certificate, nil
}

func (l *tlsLogin) decide(ctx context.Context) {
	l.pace.stop()
	_ = l.call.SetDeadline(time.Now().Add(l.pace.left)) // it fails when the call has ended
	l.verdict = l.server.decide(ctx, l.plan, l.claim)
}

// neverAsked rejects a device that has finished the handshake without asking
// for our certificate.
func (l *tlsLogin) neverAsked(ctx context.Context) error {
	if l.decide(ctx); l.rejected == nil {
		l.rejected = reject(FailedLogin, "%s asks for no client certificate: it would let anybody in; have it verify its clients", l.binding.name)
	}
	return l.rejected
}

// outcome says why the handshake failed, and whether the device refused our
// certificate.
func (l *tlsLogin) outcome(err error) (r *rejection, refused bool) {
	var foreign tls.RecordHeaderError
	switch {
	case l.rejected != nil:
		return l.rejected, false
	case l.pace.starved != nil:
		return starved(l.pace), false
	case l.answered && alertOf(err) != 0:
		return refusedLogin(l.binding, err)
	case l.call.timedOut():
		return reject(TimedOut, "the device did not finish the TLS handshake within %s", keyExchangeTimeout), false
	case errors.As(err, &foreign):
		return reject(FailedPreamble, "%s", foreignToTLS(foreign.RecordHeader)), false
	case l.answered:
		return reject(FailedLogin, "%s ended the connection during the login: %s", l.binding.name, l.cause(err)), false
	}
	return reject(FailedHandshake, "the TLS handshake failed: %s", l.cause(err)), false
}

// refusedLogin is the outcome where the device answers our certificate with an
// alert, and whether it refuses that.
func refusedLogin(b *binding, err error) (r *rejection, refused bool) {
	alert := strings.TrimPrefix(alertOf(err).Error(), "tls: ")
	if !refusesCertificate(err) {
		return reject(FailedLogin, "%s ended the login with the TLS alert %q", b.name, alert), false
	}
	return reject(FailedLogin, "%s refused the client certificate of user entry %s (%s): check the entry's certificate, and the CA and the cert-to-name of the device",
		b.name, b.user.Name, alert), true
}

// refusedAfterwards is refusedLogin in TLS 1.3, where the client has finished
// before the device has looked at its certificate (RFC 8446 section 4.4.2.4).
func (c *call) refusedAfterwards(err error) *rejection {
	r, refused := refusedLogin(c.binding, err)
	return c.failed(r, refused)
}

// foreignToTLS says what called the port, by its first bytes.
func foreignToTLS(head [5]byte) string {
	switch {
	case string(head[:4]) == "SSH-":
		return "the device speaks SSH on the port for NETCONF over TLS"
	case IsProxyHeader(head[:]):
		return ErrUnnamedProxy.Error()
	}
	return "not a TLS server: it sent " + Quote(string(head[:]))
}
