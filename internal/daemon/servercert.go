package daemon

import (
	"context"
	"crypto/tls"
	"sync/atomic"
)

// serverCertificates are what managers are shown on the TLS endpoints.
type serverCertificates struct {
	// own is that of the files, or the one that the gateway signed itself.
	own atomic.Pointer[tls.Certificate]
	// acme obtains others; nil if that is not configured.
	acme atomic.Pointer[acmeClient]
}

// get is for tls.Config.GetCertificate. Until there is one from ACME the own
// certificate must do: managers that pin it or its CA could not come in else.
func (s *serverCertificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if acme := s.acme.Load(); acme != nil {
		if cert := acme.certificate(hello.ServerName); cert != nil {
			return cert, nil
		}
	}
	return s.own.Load(), nil
}

// certificateChange is the step to other certificates. It is committed or undone.
type certificateChange struct {
	d           *daemon
	own         *tls.Certificate // nil without TLS endpoints
	before, now *acmeClient      // either may be nil; the same where nothing changes
}

// changeCertificates prepares what the TLS endpoints show, where there are any.
func (d *daemon) changeCertificates(s *settings) (*certificateChange, error) {
	c := &certificateChange{d: d, before: d.certificates.acme.Load()}
	if s.Gateway.TLS == nil {
		return c, nil
	}
	if c.own = s.TLS.Pair; c.own == nil {
		var err error
		if c.own, err = selfSigned(s.StateDir, s.Gateway.Domain); err != nil {
			return nil, err
		}
	}
	switch acme, address := s.TLS.ACME, s.Gateway.Address; {
	case acme == nil:
	case c.before != nil && c.before.asGood(acme, address):
		c.now = c.before
	default:
		c.now = newACMEClient(acme, s.StateDir, d.log)
		return c, c.now.listen(address, &d.sockets, c.before)
	}
	return c, nil
}

// commit has the new certificates shown, and the new client run when the one
// before has ended.
func (c *certificateChange) commit() {
	c.d.certificates.own.Store(c.own)
	if c.now == c.before {
		return
	}
	c.d.certificates.acme.Store(c.now)
	if c.before != nil {
		c.before.handedOn.Store(c.inherits())
		c.before.stop()
	}
	if c.now != nil {
		c.d.start(func(ctx context.Context) error {
			if c.before != nil {
				<-c.before.ended
			}
			return c.now.run(ctx)
		})
	}
}

func (c *certificateChange) undo() {
	if c.now != nil && c.now != c.before && !c.inherits() {
		c.now.socket.giveUp()
	}
}

// inherits reports whether the new client goes on with the socket of the one
// before.
func (c *certificateChange) inherits() bool {
	return c.now != nil && c.before != nil && c.now.socket == c.before.socket
}
