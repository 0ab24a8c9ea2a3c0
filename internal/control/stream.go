package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxStreams bounds those who follow, trace and back up at a time: each takes a
// file and memory that the devices need, a trace 16 MiB.
const maxStreams = 64

// failureTrailer follows a stream that did not end as it should, with a failure
// in JSON. Without it, and with the last chunk, the stream is whole.
const failureTrailer = "Callhome-Gateway-Failure"

// stream answers with what do writes, piece by piece, for as long as it takes:
// until it returns, the client goes, or the gateway stops. An error before the
// first write is answered as those of other requests are.
func (s *server) stream(do func(*http.Request, io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.streams <- struct{}{}:
			defer func() { <-s.streams }()
		default:
			s.refuse(w, r, ErrBusy)
			return
		}
		request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			s.refuse(w, r, fmt.Errorf("%w: reading the body: %v", ErrInvalid, err))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(request))
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		stop := context.AfterFunc(s.ending, func() { cancel(ErrStopping) })
		defer stop()
		out := &streamWriter{to: w, control: http.NewResponseController(w)}
		// Nothing more is to be read, and what says that the client has gone comes
		// when it will.
		if err := out.control.SetReadDeadline(time.Time{}); err != nil {
			s.refuse(w, r, err)
			return
		}
		err = do(r.WithContext(ctx), out)
		if errors.Is(context.Cause(ctx), ErrStopping) {
			err = ErrStopping
		}
		// The one of the last write, or of the request, may have passed.
		_ = out.control.SetWriteDeadline(time.Now().Add(writeTimeout))
		switch {
		case !out.begun && err != nil:
			s.refuse(w, r, err)
		case err != nil:
			out.fail(err)
		default:
			out.begin()
		}
	}
}

// streamWriter sends what is written at once.
type streamWriter struct {
	to      http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (w *streamWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	w.to.Header().Set("Content-Type", "application/octet-stream")
	w.to.Header().Set("Trailer", failureTrailer)
	w.to.WriteHeader(http.StatusOK)
}

// Write implements io.Writer. A client that reads nothing for a minute has gone.
func (w *streamWriter) Write(p []byte) (int, error) {
	if err := w.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	w.begin()
	n, err := w.to.Write(p)
	if err != nil {
		return n, err
	}
	return n, w.control.Flush()
}

// fail tells why the stream ends, for those who still read it.
func (w *streamWriter) fail(err error) {
	_, body := failureOf(err)
	if text, err := json.Marshal(body); err == nil {
		w.to.Header().Set(failureTrailer, string(text))
	}
}

// streamFailure returns what the gateway has said about the end of a stream
// that was read to its end.
func streamFailure(trailer http.Header) error {
	text := trailer.Get(failureTrailer)
	if text == "" {
		return nil
	}
	return remoteFailure("with an error", []byte(text))
}
