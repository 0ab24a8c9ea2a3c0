package gateway

import (
	"crypto/sha256"
	"errors"
	"net"
	"net/netip"
	"time"

	"callhome-gateway/auth"
)

// judge decides whether managers that have logged in by some options would come
// in as they did by others. It is used by one goroutine.
type judge struct {
	before, now *settings
	at          time.Time
	// names remembers what became of certificates: a network management system has
	// a connection to each of its devices, with the same one.
	names map[[sha256.Size]byte]certified
}

// certified is the name that cert-to-name gives a certificate, or why none.
type certified struct {
	name string
	err  error
}

func newJudge(before, now *settings) *judge {
	return &judge{before: before, now: now, at: time.Now(), names: make(map[[sha256.Size]byte]certified)}
}

// judge returns why the connection has to end, or nil.
func (j *judge) judge(c *managerConn) *ending {
	switch {
	case c.e.g.ctx.Err() != nil:
		return endedByGateway
	case c.e.ctx.Err() != nil:
		return changed("the port is that of another endpoint by now, or of none", "this port is no longer "+c.e.String())
	case j.before == j.now:
		return nil
	case j.before.Address != j.now.Address && !covers(j.now.Address, c.conn.LocalAddr()):
		return changed("the gateway listens on another address", "the gateway no longer listens on this address")
	case !j.now.Networks.Permits(c.source.Addr()):
		return changed("nobody may connect from this network any more (allow and deny of the gateway)",
			"connections from "+c.source.Addr().String()+" are no longer accepted")
	case c.proxied != auth.Within(j.now.Proxies, addressOf(c.conn.RemoteAddr())):
		return changed("other proxies are trusted", "which proxies this gateway trusts was changed: connect again")
	}
	m, err := j.again(c)
	switch {
	case err != nil:
		return c.unwelcome(err)
	case m.Name != c.grant.manager:
		return c.unwelcome(errOtherManager)
	}
	return nil
}

// errOtherManager says that a certificate stands for another manager than before.
var errOtherManager = errors.New("the cert-to-name list gives the certificate the name of another manager")

// again decides about the login as it was decided when the manager came.
func (j *judge) again(c *managerConn) (*auth.Manager, error) {
	a := auth.Attempt{Manager: c.grant.manager, Device: c.grant.device, Source: c.source.Addr()}
	if c.shown.certificates == nil {
		return j.now.logins.Again(a, c.shown.Credential)
	}
	device, err := c.e.target(j.now, c.shown.serverName)
	switch {
	case err != nil:
		return nil, err
	case device != c.grant.device:
		return nil, errServerName
	}
	known := j.certify(c)
	if known.err != nil {
		return nil, known.err
	}
	a.Manager = known.name
	return j.now.logins.Certificate(a)
}

// certify returns the name of a certificate. That it has expired since it was
// shown ends nothing.
func (j *judge) certify(c *managerConn) certified {
	hash := sha256.New()
	for _, cert := range c.shown.certificates {
		hash.Write(cert.Raw)
	}
	key := [sha256.Size]byte(hash.Sum(nil))
	known, seen := j.names[key]
	if !seen {
		known.name, known.err = j.now.TLS.name(c.shown.certificates, j.at)
		j.names[key] = known
	}
	if errors.Is(known.err, auth.ErrExpired) {
		known.name, known.err = j.now.TLS.name(c.shown.certificates, c.since)
	}
	return known
}

// changed is the ending of what other options do not allow any more.
func changed(reason, sentence string) *ending {
	return &ending{reason: reason, sentence: sentence, status: 1, abrupt: true}
}

// unwelcome is the ending of a connection whose login would fail by now.
func (c *managerConn) unwelcome(err error) *ending {
	manager := "manager " + c.grant.manager
	for _, known := range []struct {
		err              error
		reason, sentence string
	}{
		{auth.ErrUnknownManager, "the manager is no longer configured", manager + " is no longer configured"},
		{auth.ErrDeviceDenied, "the manager may no longer reach the device", manager + " may no longer reach device " + c.grant.device},
		{auth.ErrOldPassword, "the manager's password was changed", "the password of " + manager + " was changed"},
		{auth.ErrUnknownKey, "the manager's key is no longer authorized", "the key is no longer authorized for " + manager},
		{errServerName, "the domain of the gateway was changed", "the domain of this gateway was changed"},
	} {
		if errors.Is(err, known.err) {
			return changed(known.reason, known.sentence)
		}
	}
	e := changed("the manager's certificate is no longer accepted", "the certificate is no longer accepted for "+manager)
	e.detail = err
	return e
}

// removed is the ending of a connection to one of the devices that were removed.
func (c *managerConn) removed(devices map[string]bool) *ending {
	if !devices[c.grant.device] {
		return nil
	}
	return changed("the device was forgotten", "device "+c.grant.device+" has been removed from this gateway")
}

// covers reports whether what listens on the address has connections to the local
// one.
func covers(address netip.Addr, local net.Addr) bool {
	own := addressOf(local)
	switch address = address.Unmap(); {
	case !address.IsUnspecified():
		return address == own
	case address.Is4():
		return own.Is4()
	}
	return true
}

// addressOf returns the IP address, without a zone, or an invalid one.
func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
