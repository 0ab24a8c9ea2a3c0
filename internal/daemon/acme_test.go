package daemon

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/internal/config"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// syncBuffer may be written and read at once.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *syncBuffer) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(b.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not logged:\n%s", text, b.String())
		}
	}
}

// The whole of it against a real CA is in tests/acme_test.go.
func TestACMEWithoutTheCAEndsCleanly(t *testing.T) {
	nobody, port := freePort(t), freePort(t)
	var out syncBuffer
	a := newACMEClient(&config.ACME{
		CA: fmt.Sprintf("https://127.0.0.1:%d/dir", nobody), Domains: []string{"a.example.net", "b.example.net"}, HTTPPort: port,
	}, t.TempDir(), hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Trace}))
	if err := a.listen(loopback, new(sockets), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx) }()
	for _, want := range []string{"managers are shown the gateway's own: domain=a.example.net", `event="will retry"`, "connection refused"} {
		out.await(t, want)
	}
	if cert := a.certificate("a.example.net"); cert != nil {
		t.Errorf("it has a certificate: %v", cert.Leaf.Subject)
	}
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/.well-known/acme-challenge/x", port))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("a challenge that nobody asked for is answered with %s", response.Status)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		t.Error("the port is still taken:", err)
	} else {
		ln.Close()
	}
	if log.Writer() != os.Stderr {
		t.Error("the standard log was not given back")
	}
}

func TestTheLogOfCertmagicComesAsValues(t *testing.T) {
	var out syncBuffer
	logger := zap.New(zapCore{log: hclog.New(&hclog.LoggerOptions{Output: &out, Level: hclog.Debug})})
	logger.Debug("too much")
	logger.With(zap.String("domain", "a")).Info("a line\nand \x1b[2J another", zap.Error(fmt.Errorf("%s", strings.Repeat("x", 5000))))
	logger.Warn("second", zap.Object("o", zapcore.ObjectMarshalerFunc(func(e zapcore.ObjectEncoder) error { e.AddString("k", "v"); return nil })))
	logger.Error("third", zap.Int("n", 3))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if strings.Contains(out.String(), "too much") || strings.Contains(out.String(), "\x1b") || len(out.String()) > 3*maxLogText {
		t.Errorf("%q", out.String())
	}
	for i, want := range []string{"[DEBUG] certmagic:", "[WARN]  certmagic: event=second o=map[k:v]", "[ERROR] certmagic: event=third n=3"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%d: %q is not in %q", i, want, lines)
		}
	}
}

func TestLocksOfTheStorageExcludeAndEndWithTheContext(t *testing.T) {
	s := newACMEStorage(t.TempDir())
	if err := s.Lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.TryLock(t.Context(), "a"); ok || err != nil {
		t.Errorf("taken twice: %v", err)
	}
	if ok, err := s.TryLock(t.Context(), "b"); !ok || err != nil {
		t.Errorf("another name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() { waiting <- s.Lock(ctx, "a") }()
	cancel()
	if err := <-waiting; err == nil {
		t.Error("a lock was taken for a context that has ended")
	}
	free := make(chan struct{})
	go func() { s.wait(); close(free) }()
	for _, name := range []string{"a", "b", "never taken"} {
		if err := s.Unlock(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	<-free
}

func TestOnlySoManyAskForChallengesAtATime(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited := limitListener(ln, 1)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := limited.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	for range 2 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Error("two at a time")
	case <-time.After(20 * time.Millisecond):
	}
	first.Close()
	(<-accepted).Close()
	limited.Close()
	<-accepted
}
