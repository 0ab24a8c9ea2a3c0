package gateway

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"callhome-gateway/callhome"
)

// endpoint is what a port is for: managers log in there over SSH or over TLS, to
// one device or, on the shared ones, to any.
type endpoint struct {
	g         *Gateway
	transport callhome.Transport
	device    string // empty on the shared one
	port      uint16

	// ctx ends with the endpoint, and with it the logins on it.
	ctx    context.Context
	cancel context.CancelFunc
}

func (g *Gateway) newEndpoint(p configuredPort) *endpoint {
	e := &endpoint{g: g, transport: p.transport, device: p.device, port: p.port}
	e.ctx, e.cancel = context.WithCancel(g.ctx)
	return e
}

// is reports whether the port is still for the same.
func (e *endpoint) is(p configuredPort) bool {
	return e.transport == p.transport && e.device == p.device && e.port == p.port
}

// open opens an endpoint with a socket of its own, which does not serve yet.
func (g *Gateway) open(p configuredPort) (*endpoint, error) {
	s, err := g.listen(g.opts(), p.port)
	if err != nil {
		return nil, err
	}
	e := g.newEndpoint(p)
	s.endpoint.Store(e)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sockets[p.port] = s
	return e, nil
}

// close ends an endpoint that has not been replaced, and the logins on it.
func (g *Gateway) close(e *endpoint) {
	e.cancel()
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sockets[e.port]; s != nil {
		s.close()
		delete(g.sockets, e.port)
	}
}

// start serves the endpoint if Serve is running.
func (g *Gateway) start(e *endpoint) {
	g.mu.Lock()
	s, serving := g.sockets[e.port], g.serving
	g.mu.Unlock()
	if serving && s != nil {
		s.start()
	}
}

// openEndpoints opens the device's own endpoints that it is to have and has not
// yet.
func (g *Gateway) openEndpoints(d *device) error {
	g.layout.RLock()
	defer g.layout.RUnlock()
	d.opening.Lock()
	defer d.opening.Unlock()
	if g.accepting.Err() != nil {
		return nil
	}
	return errors.Join(g.openEndpoint(d, callhome.SSH), g.openEndpoint(d, callhome.TLS))
}

func (g *Gateway) openEndpoint(d *device, transport callhome.Transport) error {
	port := d.port(transport)
	if d.endpointNow(transport) != nil || !g.ports.gives(transport, port) {
		return nil
	}
	e, err := g.openFor(d, transport, port)
	if err != nil {
		return fmt.Errorf("no %s endpoint for device %s: %w", transport, d.name, err)
	}
	if !d.opened(e) {
		g.close(e)
		if g.known(d.name) == nil {
			g.noteStore(d.name, g.ports.forget(map[string]bool{d.name: true}))
		}
		return nil
	}
	g.start(e)
	return nil
}

// openFor opens the device's endpoint on the port that is configured, or on an
// assigned one. That is replaced where another program has taken it.
func (g *Gateway) openFor(d *device, transport callhome.Transport, port uint16) (*endpoint, error) {
	if port != 0 {
		return g.open(configuredPort{transport, d.name, port})
	}
	var e *endpoint
	err := g.assign(g.ports, d.name, func(port uint16) (err error) {
		e, err = g.open(configuredPort{transport, d.name, port})
		return err
	})
	return e, err
}

// assign has the device's port opened, or the next one that can be.
func (g *Gateway) assign(ports *portBook, device string, open func(port uint16) error) error {
	for tried := map[uint16]bool{}; ; {
		known := ports.has(device)
		port, err := ports.next(device, tried)
		if err != nil {
			return err
		}
		err = open(port)
		if err == nil {
			if !known {
				g.noteStore(device, ports.keep(port))
			}
			return nil
		}
		taken := errors.Is(err, syscall.EADDRINUSE)
		if taken || !known {
			g.noteStore(device, ports.giveBack(device, port, known))
		}
		if !taken {
			return err
		}
		tried[port] = true
		g.opts().Log.Warn("another program has a port of the range, the device gets the next one",
			"device", device, "port", port)
	}
}

// noteStore logs that a port could not be stored: it works until a restart.
func (g *Gateway) noteStore(device string, err error) {
	if err != nil {
		g.opts().Log.Warn("cannot store the device's port", "device", device, "error", err)
	}
}
