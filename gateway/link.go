package gateway

import (
	"context"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/netconf"
)

// session is one NETCONF session with a device, hellos exchanged. Send is used
// by one goroutine and Next by one other, Close by any; Close ends both.
type session interface {
	Hello() *netconf.Hello
	Framing() netconf.Framing
	Send(*netconf.Message) error
	Next() (*netconf.Message, error)
	CloseSend() error
	Close() error
}

// link is what the gateway needs of a device's connection.
type link interface {
	Epoch() uint64
	Done() <-chan struct{}
	Err() error
	// controlID returns the session-id of the gateway's own session, which no
	// manager may kill.
	controlID() uint32
	// open returns a session of its own for one manager.
	open(ctx context.Context) (session, error)
}

// callhomeLink is the link that a device has made by calling home.
type callhomeLink struct{ *callhome.Link }

func (l callhomeLink) controlID() uint32 { return l.Control().Hello().SessionID }

func (l callhomeLink) open(ctx context.Context) (session, error) {
	s, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}
