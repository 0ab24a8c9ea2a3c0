package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	requestTimeout = 30 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 60 * time.Second
	shutdownGrace  = 3 * time.Second
	maxHeader      = 16 << 10
	maxBody        = 64 << 10
)

// peerKey finds what checkPeer said in the context of a request.
type peerKey struct{}

// Serve answers requests on the listener, which it closes, until ctx ends, and
// returns when all requests have ended: those in progress get three seconds.
func Serve(ctx context.Context, l net.Listener, b Backend, log hclog.Logger) error {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	// Requests outlive ctx by the grace, so that an approval is not cut short.
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	s := &server{backend: b, log: log}
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
	backend     Backend
	log         hclog.Logger
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

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.answer(func(r *http.Request) (any, error) {
		return s.backend.Status(r.Context())
	}))
	mux.HandleFunc("GET /v1/devices", s.answer(func(r *http.Request) (any, error) {
		devices, err := s.backend.Devices(r.Context())
		if devices == nil {
			devices = []Device{}
		}
		return devices, err
	}))
	mux.HandleFunc("GET /v1/devices/{name}", s.answer(func(r *http.Request) (any, error) {
		return s.backend.Device(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("POST /v1/approve", s.answer(func(r *http.Request) (any, error) {
		request, err := body[ApproveRequest](r)
		if err != nil {
			return nil, err
		}
		return s.backend.Approve(r.Context(), request)
	}))
	mux.HandleFunc("POST /v1/reject", s.answer(func(r *http.Request) (any, error) {
		request, err := body[target](r)
		if err != nil {
			return nil, err
		}
		return s.backend.Reject(r.Context(), request.Device)
	}))
	mux.HandleFunc("POST /v1/forget", s.act(s.backend.Forget))
	mux.HandleFunc("POST /v1/disconnect", s.act(s.backend.Disconnect))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		send(w, http.StatusNotFound, failure{Error: fmt.Sprintf("no such request: %s %.200q", r.Method, r.URL.Path), Code: "unknown-request"})
	})
	return mux
}

// act answers a request that names a device and gives nothing back.
func (s *server) act(do func(ctx context.Context, device string) error) http.HandlerFunc {
	return s.answer(func(r *http.Request) (any, error) {
		request, err := body[target](r)
		if err != nil {
			return nil, err
		}
		return struct{}{}, do(r.Context(), request.Device)
	})
}

func (s *server) answer(handle func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		result, err := handle(r)
		if err != nil {
			status, body := failureOf(err)
			if status == http.StatusInternalServerError {
				s.log.Warn("control request failed", "request", r.Method+" "+r.URL.Path, "error", err)
			}
			send(w, status, body)
			return
		}
		send(w, http.StatusOK, result)
	}
}

// guard lets only those in who may control the gateway, and bounds what they
// send and how long they may take.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ConnContext left the error there; without one the type does not match.
		if err, refused := r.Context().Value(peerKey{}).(error); refused {
			s.log.Warn("control request refused", "error", err)
			status, body := failureOf(err)
			send(w, status, body)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func body[T any](r *http.Request) (T, error) {
	var v T
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%w: reading the body: %v", ErrInvalid, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return v, fmt.Errorf("%w: something follows the JSON object in the body", ErrInvalid)
	}
	return v, nil
}

// send writes the value. An error means that the client has gone: there is
// nobody to tell.
func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
