package harness

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// babbleInterval is the time between two of its connections.
const babbleInterval = 10 * time.Millisecond

// Babble connects from the source again and again until the test ends, says
// something, and leaves when it is closed or nothing comes back for a second. It
// returns how often it has connected.
func Babble(t testing.TB, address, source, says string) (calls func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	var count atomic.Int64
	go func() {
		defer close(done)
		for again := time.NewTicker(babbleInterval); ; {
			select {
			case <-ctx.Done():
				again.Stop()
				return
			case <-again.C:
			}
			if babble(ctx, address, source, says) == nil {
				count.Add(1)
			}
		}
	}()
	return func() int { return int(count.Load()) }
}

func babble(ctx context.Context, address, source, says string) error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, says)
	_, _ = io.Copy(io.Discard, conn) // until it ends, however
	return nil
}
