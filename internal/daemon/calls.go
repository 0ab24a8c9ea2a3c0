package daemon

import (
	"fmt"
	"net"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"
)

// callListener is an open listener for calls over one transport.
type callListener struct {
	net.Listener
	of callhome.Listener
}

// listenForCalls opens the main listener and the further ones.
func (d *daemon) listenForCalls() error {
	if !d.settings().Enabled {
		return nil
	}
	for _, l := range d.settings().Callhome.All() {
		if err := d.listenFor(l, callhome.SSH, l.Port); err != nil {
			return err
		}
		if err := d.listenFor(l, callhome.TLS, l.TLSPort); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) listenFor(l config.Listener, t callhome.Transport, port uint16) error {
	if port == 0 {
		return nil
	}
	ln, err := callhome.Listen(l.Address, port)
	if err != nil {
		return fmt.Errorf("cannot listen for calls (%s address and %s): %w", blockName(l), portName(t), err)
	}
	of := l.Listener
	of.Transport = t
	d.calls = append(d.calls, callListener{Listener: ln, of: of})
	return nil
}

func blockName(l config.Listener) string {
	if l.Name == "" {
		return "callhome"
	}
	return "listener " + l.Name
}

func portName(t callhome.Transport) string {
	if t == callhome.TLS {
		return "tls_port"
	}
	return "port"
}

// callAddress returns where the listener of that name takes calls; "" where it
// does not.
func (d *daemon) callAddress(name string, t callhome.Transport) string {
	for _, l := range d.calls {
		if l.of.Name == name && l.of.Transport == t {
			return address(l)
		}
	}
	return ""
}
