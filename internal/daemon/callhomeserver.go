package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
)

// callOrder is what an operator has said about accepting calls; the zero value
// is nothing, and leaves it to the configuration.
type callOrder struct {
	since time.Time
	run   bool
	// What of the main listener is not as configured: an address that is not valid
	// and ports that are nil are.
	address       netip.Addr
	port, tlsPort *uint16
}

func (o callOrder) running(c *config.Config) bool {
	if o.since.IsZero() {
		return c.Enabled
	}
	return o.run
}

// moved returns where the main listener is to be.
func (o callOrder) moved(w wantedCalls) netip.AddrPort {
	at, port := w.at, o.port
	if portName(w.of.Transport) == "tls_port" {
		port = o.tlsPort
	}
	if o.address.IsValid() {
		at = netip.AddrPortFrom(o.address, at.Port())
	}
	if port != nil {
		at = netip.AddrPortFrom(at.Addr(), *port)
	}
	return at
}

// startCallhome has calls accepted, whatever the configuration says, until
// stopCallhome or a restart. What the request does not say is as configured.
func (d *daemon) startCallhome(ctx context.Context, r control.StartRequest) (control.CallhomeServer, error) {
	o := callOrder{since: time.Now(), run: true, port: r.Port, tlsPort: r.TLSPort}
	if r.Address != "" {
		address, err := netip.ParseAddr(r.Address)
		if err != nil {
			return control.CallhomeServer{}, fmt.Errorf("%w: %.80q is not an IP address", control.ErrInvalid, r.Address)
		}
		o.address = address.Unmap()
	}
	return d.orderCalls(ctx, o)
}

// stopCallhome has no calls accepted until startCallhome or a restart. Links stay.
func (d *daemon) stopCallhome(ctx context.Context) (control.CallhomeServer, error) {
	return d.orderCalls(ctx, callOrder{since: time.Now()})
}

func (d *daemon) orderCalls(ctx context.Context, o callOrder) (control.CallhomeServer, error) {
	if err := d.beginChange(ctx); err != nil {
		return control.CallhomeServer{}, err
	}
	defer d.endChange()
	c := d.settings().Config
	if o.run && len(o.wanted(c)) == 0 {
		return control.CallhomeServer{}, fmt.Errorf("%w: no port for calls is configured: give --port or --tls-port", control.ErrInvalid)
	}
	change, err := d.changeCalls(c, o)
	if err != nil {
		return control.CallhomeServer{}, err
	}
	change.commit()
	d.mu.Lock()
	d.order = o
	d.mu.Unlock()
	if o.run {
		d.log.Info("an operator has started the call-home server")
		d.tellListeners()
	} else {
		d.log.Info("an operator has stopped the call-home server: no calls are accepted, the connections that there are stay")
	}
	return d.callhomeServer(), nil
}

// callhomeServer tells where calls are accepted, or would be.
func (d *daemon) callhomeServer() control.CallhomeServer {
	c, o := d.settings().Config, d.callOrder()
	s := control.CallhomeServer{Running: o.running(c) && !d.ending.Load(), Enabled: c.Enabled, Since: o.since, Listeners: []control.CallhomeAddress{}}
	o.since, o.run = time.Now(), true
	for _, w := range o.wanted(c) {
		a := control.CallhomeAddress{Listener: w.of.Name, Transport: string(w.of.Transport), Address: w.at.String()}
		if at := d.callAddress(w.of.Name, w.of.Transport); at != "" {
			a.Address, a.Listening = at, true
		}
		s.Listeners = append(s.Listeners, a)
	}
	return s
}

func (d *daemon) callOrder() callOrder {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.order
}
