package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

const (
	maxBody = 64 << 10
	// maxListBody is for a list of a hundred thousand devices with their keys.
	maxListBody = 64 << 20
)

// target is the body of the requests that name a device and no more.
type target struct {
	Device string `json:"device"`
}

// listed is the body of the request that approves a list.
type listed struct {
	List string `json:"list"`
}

// named is the body of the requests that name an entry and no more.
type named struct {
	Name string `json:"name"`
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	b := s.backend
	mux.HandleFunc("GET /v1/status", s.query(get(b.Status)))
	mux.HandleFunc("POST /v1/reload", s.query(get(b.Reload)))
	mux.HandleFunc("POST /v1/backup", s.stream(func(r *http.Request, w io.Writer) error { return b.Backup(r.Context(), w) }))

	mux.HandleFunc("GET /v1/devices", s.query(list(b.Devices)))
	mux.HandleFunc("GET /v1/devices/{name}", s.query(func(r *http.Request) (any, error) {
		return b.Device(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("POST /v1/approve", s.query(with(b.Approve)))
	mux.HandleFunc("POST /v1/approve-list", s.queryUpTo(maxListBody, with(func(ctx context.Context, l listed) ([]Device, error) { return b.ApproveList(ctx, l.List) })))
	mux.HandleFunc("POST /v1/reject", s.query(with(func(ctx context.Context, t target) (Device, error) { return b.Reject(ctx, t.Device) })))
	mux.HandleFunc("POST /v1/rename", s.query(with(b.Rename)))
	mux.HandleFunc("POST /v1/forget", s.query(onDevice(b.Forget)))
	mux.HandleFunc("POST /v1/disconnect", s.query(onDevice(b.Disconnect)))
	mux.HandleFunc("POST /v1/trace", s.stream(func(r *http.Request, w io.Writer) error {
		request, err := body[target](r)
		if err != nil {
			return err
		}
		return b.Trace(r.Context(), request.Device, w)
	}))

	mux.HandleFunc("GET /v1/callhome-server", s.query(get(b.CallhomeServer)))
	mux.HandleFunc("POST /v1/callhome-server/start", s.query(with(b.StartCallhome)))
	mux.HandleFunc("POST /v1/callhome-server/stop", s.query(get(b.StopCallhome)))

	mux.HandleFunc("GET /v1/callhome-users", s.query(list(b.CallhomeUsers)))
	mux.HandleFunc("POST /v1/callhome-users/add", s.query(onEntry(b.AddCallhomeUser)))
	mux.HandleFunc("POST /v1/callhome-users/remove", s.query(onEntry(b.RemoveCallhomeUser)))
	mux.HandleFunc("GET /v1/users", s.query(list(b.Users)))
	mux.HandleFunc("POST /v1/users/save", s.query(with(b.SaveUser)))
	mux.HandleFunc("POST /v1/users/remove", s.query(onEntry(b.RemoveUser)))
	mux.HandleFunc("GET /v1/sessions", s.query(list(b.Sessions)))
	mux.HandleFunc("POST /v1/sessions/save", s.query(with(b.SaveSession)))
	mux.HandleFunc("POST /v1/sessions/remove", s.query(onEntry(b.RemoveSession)))

	mux.HandleFunc("GET /v1/failures", s.query(list(b.Failures)))
	mux.HandleFunc("POST /v1/failures/clear", s.query(with(b.ClearFailures)))
	mux.HandleFunc("GET /v1/events", s.query(list(b.Events)))
	mux.HandleFunc("GET /v1/events/follow", s.stream(func(r *http.Request, w io.Writer) error {
		lines := json.NewEncoder(w)
		return b.Follow(r.Context(), func(e Event) error { return lines.Encode(e) })
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		send(w, http.StatusNotFound, failure{Error: fmt.Sprintf("no such request: %s %.200q", r.Method, r.URL.Path), Code: "unknown-request"})
	})
	return mux
}

// handler answers one request with a value or an error.
type handler func(*http.Request) (any, error)

// get makes a handler of what needs no body.
func get[T any](do func(context.Context) (T, error)) handler {
	return func(r *http.Request) (any, error) { return do(r.Context()) }
}

// list is get for lists: an empty one is never null.
func list[T any](do func(context.Context) ([]T, error)) handler {
	return func(r *http.Request) (any, error) {
		list, err := do(r.Context())
		if list == nil {
			list = []T{}
		}
		return list, err
	}
}

// with makes a handler of what needs a body.
func with[R, T any](do func(context.Context, R) (T, error)) handler {
	return func(r *http.Request) (any, error) {
		request, err := body[R](r)
		if err != nil {
			return nil, err
		}
		return do(r.Context(), request)
	}
}

// onDevice makes a handler of what is done to a device and gives nothing back.
func onDevice(do func(ctx context.Context, device string) error) handler {
	return with(func(ctx context.Context, t target) (struct{}, error) { return struct{}{}, do(ctx, t.Device) })
}

// onEntry is onDevice for an entry of the configuration.
func onEntry(do func(ctx context.Context, name string) error) handler {
	return with(func(ctx context.Context, n named) (struct{}, error) { return struct{}{}, do(ctx, n.Name) })
}

func (s *server) query(handle handler) http.HandlerFunc { return s.queryUpTo(maxBody, handle) }

// queryUpTo answers requests whose body has no more than that many bytes.
func (s *server) queryUpTo(bound int64, handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		r.Body = http.MaxBytesReader(w, r.Body, bound)
		result, err := handle(r.WithContext(ctx))
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		send(w, http.StatusOK, result)
	}
}

// refuse answers with the error, in the place of what was asked for.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, body := failureOf(err)
	if status == http.StatusInternalServerError {
		s.log.Warn("control request failed", "request", r.Method+" "+r.URL.Path, "error", err)
	}
	send(w, status, body)
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
