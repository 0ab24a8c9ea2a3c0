package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	// readTimeout is for the request, and while it is answered for the news that
	// its sender has gone: when it is over, that is what net/http believes.
	readTimeout   = requestTimeout + 5*time.Second
	writeTimeout  = 60 * time.Second // also for each part of a stream
	idleTimeout   = 60 * time.Second
	shutdownGrace = 3 * time.Second
	maxHeader     = 16 << 10
)

// peerKey finds what checkPeer said in the context of a request.
type peerKey struct{}

// Serve answers requests on the listener, which it closes, until ctx ends, and
// returns when all requests have ended: streams end at once, the other requests
// in progress get three seconds.
func Serve(ctx context.Context, l net.Listener, b Backend, log hclog.Logger) error {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	// Requests outlive ctx by the grace, so that an approval is not cut short.
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	s := &server{backend: b, log: log, ending: ctx, streams: make(chan struct{}, maxStreams)}
	h := s.http(base)
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	var err error
	select {
	case err = <-served:
		err = errors.Join(err, h.Close())
	case <-ctx.Done():
		err = shutdown(base, h)
		<-served
	}
	cut()
	s.connections.Wait()
	if err != nil {
		return fmt.Errorf("serving the control socket: %w", err)
	}
	return nil
}

func shutdown(ctx context.Context, h *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace)
	defer cancel()
	err := h.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return h.Close()
	}
	return err
}

type server struct {
	backend Backend
	log     hclog.Logger
	// ending ends when no request is to be taken any more, and streams end.
	ending context.Context
	// streams has one for each stream that goes on.
	streams     chan struct{}
	connections sync.WaitGroup
}

func (s *server) http(base context.Context) *http.Server {
	return &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			s.connections.Add(1)
			return context.WithValue(ctx, peerKey{}, checkPeer(c))
		},
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				s.connections.Done()
			}
		},
		ErrorLog: s.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

// guard lets only those in who may control the gateway.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ConnContext left the error there; without one the type does not match.
		if err, refused := r.Context().Value(peerKey{}).(error); refused {
			s.log.Warn("control request refused", "error", err)
			status, body := failureOf(err)
			send(w, status, body)
			return
		}
		next.ServeHTTP(w, r)
	})
}
