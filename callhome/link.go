package callhome

import (
	"context"
	"net/netip"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
)

// Link is an authenticated connection to a device, from login until it ends.
// All methods may be called concurrently.
type Link struct{}

func (l *Link) Name() string                               { panic("stub") }
func (l *Link) Identity() auth.Identity                    { panic("stub") }
func (l *Link) User() string                               { panic("stub") }
func (l *Link) Remote() netip.AddrPort                     { panic("stub") }
func (l *Link) Since() time.Time                           { panic("stub") }
func (l *Link) Transport() string                          { panic("stub") }
func (l *Link) Epoch() uint64                              { panic("stub") }
func (l *Link) Control() *Session                          { panic("stub") }
func (l *Link) Open(ctx context.Context) (*Session, error) { panic("stub") }
func (l *Link) Probe(ctx context.Context) bool             { panic("stub") }
func (l *Link) Busy() bool                                 { panic("stub") }
func (l *Link) Done() <-chan struct{}                      { panic("stub") }
func (l *Link) Err() error                                 { panic("stub") }
func (l *Link) Close() error                               { panic("stub") }

// Session is one NETCONF session with a device.
type Session struct{}

func (s *Session) Hello() *netconf.Hello           { panic("stub") }
func (s *Session) Send(m *netconf.Message) error   { panic("stub") }
func (s *Session) Next() (*netconf.Message, error) { panic("stub") }
func (s *Session) CloseSend() error                { panic("stub") }
func (s *Session) Close() error                    { panic("stub") }
