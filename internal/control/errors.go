package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"callhome-gateway/auth"
)

var (
	// ErrInvalid is a request that makes no sense, whatever the state.
	ErrInvalid = errors.New("invalid request")
	// ErrNotConnected is returned for what needs a link, where there is none.
	ErrNotConnected = errors.New("the device is not connected")
	// ErrRefused is returned to callers who may not use the socket.
	ErrRefused = errors.New("not allowed")
	// ErrConfigured is returned for what only the configuration file can change.
	ErrConfigured = errors.New("it is in the configuration file")
	// ErrInUse is returned for what cannot go while something refers to it.
	ErrInUse = errors.New("it is in use")
	// ErrStopping is the end of what would go on while the gateway runs.
	ErrStopping = errors.New("the gateway stops")
	// ErrBusy is returned for a stream where too many go on.
	ErrBusy = fmt.Errorf("%d operators follow, trace or back up already: end one of those", maxStreams)
	// ErrNotRunning is returned by a Client when no gateway answers.
	ErrNotRunning = errors.New("no gateway answers")
)

// kinds are the errors that keep their identity over the socket.
var kinds = []struct {
	code   string
	err    error
	status int
}{
	{"invalid", ErrInvalid, http.StatusBadRequest},
	{"bad-name", auth.ErrBadName, http.StatusBadRequest},
	{"refused", ErrRefused, http.StatusForbidden},
	{"unknown-device", auth.ErrUnknownDevice, http.StatusNotFound},
	{"unknown-entry", auth.ErrUnknownEntry, http.StatusNotFound},
	{"name-taken", auth.ErrNameTaken, http.StatusConflict},
	{"ambiguous", auth.ErrAmbiguous, http.StatusConflict},
	{"configured", ErrConfigured, http.StatusConflict},
	{"in-use", ErrInUse, http.StatusConflict},
	{"stopping", ErrStopping, http.StatusServiceUnavailable},
	{"busy", ErrBusy, http.StatusServiceUnavailable},
	{"not-connected", ErrNotConnected, http.StatusConflict},
	{"timeout", context.DeadlineExceeded, http.StatusServiceUnavailable},
}

// failure is the body of every response that is not a success.
type failure struct {
	Error string `json:"error"`
	Code  string `json:"code"`
}

func failureOf(err error) (status int, body failure) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.status, failure{Error: err.Error(), Code: k.code}
		}
	}
	return http.StatusInternalServerError, failure{Error: err.Error(), Code: "failed"}
}

// remoteError is an error that the gateway returned over the socket.
type remoteError struct {
	message string
	kind    error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.kind }

func (f failure) asError() error {
	for _, k := range kinds {
		if k.code == f.Code {
			return &remoteError{message: f.Error, kind: k.err}
		}
	}
	return &remoteError{message: f.Error}
}
