package devicesim

import (
	"fmt"
	"strings"
	"time"

	"callhome-gateway/internal/netconf"
)

// helloTimeout is how long a client may take for its hello.
const helloTimeout = time.Minute

// exchangeHellos sends the hello, reads the client's, and settles the framing.
func (s *session) exchangeHellos() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	own := s.device.hello(s.id)
	if err := s.conn.WriteDocument(own.Document()); err != nil {
		return fmt.Errorf("write hello: %w", err)
	}
	late := time.AfterFunc(helloTimeout, func() { _ = s.stream.Close() })
	defer late.Stop()
	client, err := netconf.ReadHello(s.conn.Reader)
	if err != nil {
		return err
	}
	if client.SessionID != 0 {
		return fmt.Errorf("the client's hello has a session-id") // RFC 6241 section 8.1
	}
	if s.framing, err = netconf.CommonFraming(own, client); err != nil {
		return err
	}
	s.conn.SetFraming(s.framing)
	return nil
}

// hello is made anew for each session: ten thousand devices with large hellos
// need not keep them.
func (d *Device) hello(id uint32) *netconf.Hello {
	h := &netconf.Hello{Capabilities: d.capabilities(), SessionID: id}
	if missing := d.o.HelloSize - len(h.Document()); missing > 0 {
		h.Capabilities = append(h.Capabilities, padding(missing)...)
	}
	return h
}

// capabilities lists what the device does, and what it is told to advertise.
func (d *Device) capabilities() []string {
	const prefix = "urn:ietf:params:netconf:"
	var caps []string
	for _, b := range d.o.Base {
		caps = append(caps, prefix+"base:"+b)
	}
	for _, c := range d.o.capabilities() {
		caps = append(caps, prefix+"capability:"+c)
	}
	return append(append(caps, NamespaceSim), d.o.Advertise...)
}

// padding returns capabilities that make a hello longer by size bytes, or by a
// few more where that is too little for one.
func padding(size int) []string {
	const (
		markup = len("<capability></capability>")
		usual  = 128 // bytes of a capability with its markup
	)
	var caps []string
	for size > 0 {
		take := usual
		if size < 2*usual {
			take = size
		}
		name := fmt.Sprintf("%s:padding:%d:", NamespaceSim, len(caps))
		caps = append(caps, name+strings.Repeat("x", max(0, take-markup-len(name))))
		size -= take
	}
	return caps
}
