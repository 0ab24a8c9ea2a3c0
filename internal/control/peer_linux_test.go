package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
)

func TestOnlyRootAndTheOwnUserMayControl(t *testing.T) {
	for _, c := range []struct {
		peer, own uint32
		allowed   bool
	}{
		{0, 0, true},
		{0, 998, true},
		{998, 998, true},
		{1000, 998, false},
		{1000, 0, false},
	} {
		err := allowUID(c.peer, c.own)
		if (err == nil) != c.allowed || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("uid %d asks uid %d: %v", c.peer, c.own, err)
		}
	}
}

// A connection whose peer cannot be told is refused, and told why.
func TestAStrangerIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, &fakeBackend{}, nil) }()
	c := NewClient("")
	c.http.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}}
	if _, err := c.Status(ctx); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
