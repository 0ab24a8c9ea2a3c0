package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"callhome-gateway/callhome"
)

// endpoint is one port on which managers log in over SSH or over TLS: a
// device's own, or the shared one. It costs a socket and, once it serves, a
// waiting goroutine.
type endpoint struct {
	g         *Gateway
	transport callhome.Transport
	device    string // empty on the shared one
	port      uint16

	listener net.Listener
	// ctx ends when the endpoint closes, and with it the connections on it.
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once
}

// listen opens an endpoint that does not serve yet.
func (g *Gateway) listen(transport callhome.Transport, port uint16, device string) (*endpoint, error) {
	set := g.opts()
	listener, err := set.Listen(set.Address, port)
	if err != nil {
		return nil, err
	}
	e := &endpoint{g: g, transport: transport, device: device, port: port, listener: listener}
	e.ctx, e.cancel = context.WithCancel(g.ctx)
	return e, nil
}

// start serves the endpoint, once.
func (e *endpoint) start() {
	e.once.Do(func() { e.g.spawn(e.accept) })
}

func (e *endpoint) close() {
	e.cancel()
	_ = e.listener.Close()
}

// accept takes connections until the listener is closed.
func (e *endpoint) accept() {
	const shortest, longest, sayAgain = 5 * time.Millisecond, time.Second, time.Minute
	var said time.Time
	for pause := shortest; ; {
		conn, err := e.listener.Accept()
		if err == nil {
			pause = shortest
			if !e.g.spawn(func() { e.handle(conn) }) {
				_ = conn.Close()
			}
			continue
		}
		if e.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of file descriptors, as a rule: it passes.
		if time.Since(said) > sayAgain {
			said = time.Now()
			e.g.opts().Log.Warn("cannot accept a manager's connection", "port", e.port, "error", err)
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, longest)
		case <-e.ctx.Done():
			return
		}
	}
}

// openEndpoints opens the device's own endpoints that it is to have and has not
// yet.
func (g *Gateway) openEndpoints(d *device) error {
	d.opening.Lock()
	defer d.opening.Unlock()
	return errors.Join(g.openEndpoint(d, callhome.SSH), g.openEndpoint(d, callhome.TLS))
}

func (g *Gateway) openEndpoint(d *device, transport callhome.Transport) error {
	if d.endpointNow(transport) != nil || !g.hasEndpoint(d, transport) {
		return nil
	}
	e, err := g.listenFor(d, transport)
	if err != nil {
		return fmt.Errorf("no %s endpoint for device %s: %w", transport, d.name, err)
	}
	if !d.opened(e) {
		e.close()
		if g.known(d.name) == nil {
			g.noteStore(d.name, g.ports.forget(d.name))
		}
		return nil
	}
	if g.ctx.Err() != nil {
		e.close()
		return nil
	}
	g.mu.Lock()
	serving := g.serving
	g.mu.Unlock()
	if serving {
		e.start()
	}
	return nil
}

// hasEndpoint reports whether the device is to have an endpoint of its own:
// ports are assigned for SSH only.
func (g *Gateway) hasEndpoint(d *device, transport callhome.Transport) bool {
	return d.config.port(transport) != 0 || transport == callhome.SSH && g.ports.store != nil
}

// listenFor listens on the device's port. An assigned one that another program
// has taken is replaced.
func (g *Gateway) listenFor(d *device, transport callhome.Transport) (*endpoint, error) {
	if port := d.config.port(transport); port != 0 {
		return g.listen(transport, port, d.name)
	}
	for tried := map[uint16]bool{}; ; {
		known := g.ports.has(d.name)
		port, err := g.ports.next(d.name, tried)
		if err != nil {
			return nil, err
		}
		e, err := g.listen(transport, port, d.name)
		if err == nil {
			if !known {
				g.noteStore(d.name, g.ports.keep(port))
			}
			return e, nil
		}
		taken := errors.Is(err, syscall.EADDRINUSE)
		if taken || !known {
			g.noteStore(d.name, g.ports.giveBack(d.name, port, known))
		}
		if !taken {
			return nil, err
		}
		tried[port] = true
		g.opts().Log.Warn("another program has a port of the range, the device gets the next one",
			"device", d.name, "port", port)
	}
}

// noteStore logs that a port could not be stored: it works until a restart.
func (g *Gateway) noteStore(device string, err error) {
	if err != nil {
		g.opts().Log.Warn("cannot store the device's port", "device", device, "error", err)
	}
}
