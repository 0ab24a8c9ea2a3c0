// Package share lets several managers use one NETCONF session of a device.
package share

import (
	"context"
	"errors"

	"callhome-gateway/internal/netconf"

	"github.com/hashicorp/go-hclog"
)

// ErrExclusive is returned by Device.Open while another manager is there and
// Options.Exclusive is set.
var ErrExclusive = errors.New("another manager has the device to itself")

// Trunk is the session that is shared; callhome.Trunk is one.
type Trunk interface {
	Hello() *netconf.Hello
	Framing() netconf.Framing
	Send(m *netconf.Message) error
	Go(f func()) bool
	Ending() <-chan struct{}
	End(reason error)
}

// Options configures a Device.
type Options struct {
	Exclusive bool
	Log       hclog.Logger
}

// Device is a device whose managers share its session.
type Device struct{}

// New returns the device behind the trunk that connect gives.
func New(connect func(handle func(*netconf.Message)) Trunk, o Options) *Device {
	panic("not written yet")
}

// Open returns a session for one more manager.
func (d *Device) Open(ctx context.Context) (*Session, error) { panic("not written yet") }

// Session is a manager's share of the device's session.
type Session struct{}

func (s *Session) Hello() *netconf.Hello           { panic("not written yet") }
func (s *Session) Framing() netconf.Framing        { panic("not written yet") }
func (s *Session) Send(*netconf.Message) error     { panic("not written yet") }
func (s *Session) Next() (*netconf.Message, error) { panic("not written yet") }
func (s *Session) CloseSend() error                { panic("not written yet") }
func (s *Session) Close() error                    { panic("not written yet") }
