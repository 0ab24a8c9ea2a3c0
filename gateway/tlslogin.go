package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
)

// loginTLS makes the TLS handshake, in which it is decided who the manager is
// and whether it may use the device, or returns nil. All that a refused manager
// sees is an alert; in TLS 1.3 it sees even that only when it first reads, for
// its side of the handshake is over by then.
func (e *endpoint) loginTLS(set *settings, conn net.Conn, source netip.AddrPort) visitor {
	ctx, cancel := context.WithTimeout(e.ctx, set.LoginTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	l := tlsLogin{e: e, set: set, source: source}
	config := e.g.tls.Clone()
	config.GetConfigForClient = l.hear
	config.GetCertificate = l.certificate
	config.VerifyConnection = l.decide
	server := tls.Server(conn, config)
	if err := server.HandshakeContext(ctx); err != nil {
		l.report(err)
		hangUp(conn, time.Now().Add(abruptGrace))
		return nil
	}
	state := server.ConnectionState()
	return newTLSSession(&managerConn{
		e: e, conn: conn, grant: l.granted, source: source, budget: set.budgets[l.granted.manager],
		shown: credential{certificates: state.PeerCertificates, serverName: state.ServerName},
	}, server)
}

// tlsLogin is one TLS connection on its way in. The manager has proven nothing
// when decide is asked: what it grants counts once the handshake is complete.
type tlsLogin struct {
	e      *endpoint
	set    *settings
	source netip.AddrPort

	granted grant

	// For the log.
	began   bool // the peer speaks TLS
	subject *x509.Certificate
	server  string // as which the manager addressed us
	name    string // that the certificate maps to
	reason  error
}

// hear is called first, and the only one of these where the peer offers no
// version of TLS that may be used.
func (l *tlsLogin) hear(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	l.began, l.server = true, hello.ServerName
	return nil, nil // the configuration stays
}

// certificate returns what the gateway shows.
func (l *tlsLogin) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if l.set.TLS == nil {
		return nil, errNoTLS
	}
	var cert *tls.Certificate
	cert, l.reason = l.set.TLS.Certificate(hello)
	return cert, l.reason
}

func (l *tlsLogin) decide(state tls.ConnectionState) error {
	l.subject = state.PeerCertificates[0]
	l.granted, l.reason = l.permit(state)
	return l.reason
}

// Why a manager with a good certificate may not come in.
var (
	errNoName        = errors.New("the cert-to-name list gives the certificate no name")
	errNoServerName  = errors.New("the manager named no device: this port needs SNI, as DEVICE.DOMAIN")
	errServerName    = errors.New("the server name that the manager asked for is not DEVICE.DOMAIN of this gateway")
	errUnknownDevice = errors.New("no device of this name is known")
)

// permit decides which manager this is and which device it may use. Whether
// the device is known is said last, and only to those who may use it.
func (l *tlsLogin) permit(state tls.ConnectionState) (grant, error) {
	name, err := l.set.TLS.name(state.PeerCertificates, time.Now())
	if err != nil {
		return grant{}, err
	}
	l.name = name
	device, err := l.e.target(l.set, state.ServerName)
	if err != nil {
		return grant{}, err
	}
	manager, err := l.set.logins.Certificate(auth.Attempt{Manager: name, Device: device, Source: l.source.Addr()})
	if err != nil {
		return grant{}, err
	}
	if l.e.g.known(device) == nil {
		return grant{}, errUnknownDevice
	}
	return grant{manager.Name, device}, nil
}

// target returns the device that the manager asks for: that of the endpoint,
// whatever the manager calls it, or the one in SNI on the shared port.
func (e *endpoint) target(set *settings, serverName string) (string, error) {
	switch {
	case e.device != "":
		return e.device, nil
	case serverName == "":
		return "", errNoServerName
	}
	// crypto/tls refuses names that end in a dot (RFC 6066 section 3).
	device, ok := strings.CutSuffix(strings.ToLower(serverName), "."+set.Domain)
	if !ok || !auth.ValidName(device) {
		return "", errServerName
	}
	return device, nil
}

// report logs why a connection did not log in.
func (l *tlsLogin) report(err error) {
	var foreign tls.RecordHeaderError
	switch {
	case errors.As(err, &foreign) && callhome.IsProxyHeader(foreign.RecordHeader[:]):
		l.e.logUnnamedProxy(l.source.Addr())
		return
	case l.reason != nil:
		err = l.reason
	case !l.began || gone(err):
		l.e.logStranger(l.source.Addr(), err)
		return
	}
	var values []any
	if l.name != "" {
		values = append(values, "manager", logged(l.name))
	}
	if l.subject != nil {
		values = append(values, "subject", logged(l.subject.Subject.String()),
			"certificate", auth.CertificateIdentity(l.subject).Fingerprint)
	}
	if l.e.device == "" {
		values = append(values, "server_name", logged(l.server))
	}
	// Without a reason of ours it is that of crypto/tls, as when there is no
	// certificate, or the manager does not trust the gateway's.
	why := printable(err.Error(), maxReason)
	device := l.e.device
	if device == "" {
		device = l.server
	}
	l.e.recordRefusal(l.source, l.name, device, why)
	kind := refusedLogin{l.set.Sources.Of(l.source.Addr()), fmt.Sprint(values...), why}
	l.e.logRefusedLogin(kind, l.source.Addr(), values...)
}

// gone reports whether the error is that of a peer that went away, or was too
// slow.
func gone(err error) bool {
	for _, sign := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}
