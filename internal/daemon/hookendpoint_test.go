package daemon

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/config"
)

func endpointURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAnswersOfAnEndpoint(t *testing.T) {
	slow := make(chan struct{})
	t.Cleanup(func() { close(slow) })
	mux := http.NewServeMux()
	mux.HandleFunc("POST /select", func(w http.ResponseWriter, r *http.Request) {
		var question map[string]any
		if err := json.NewDecoder(r.Body).Decode(&question); err != nil || question["remote"] != "192.0.2.7" {
			t.Errorf("asked %v, %v", question, err)
		}
		if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer hunter2" || r.Header["Idempotency-Key"] != nil || r.URL.RawQuery != "token=hunter2" {
			t.Errorf("asked with %v, %s", r.Header, r.URL)
		}
		_, _ = io.WriteString(w, `{"user":"fleet"}`)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/select", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"user":"fleet"}`, http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/garbage", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat(" ", maxHookAnswer+1)+"{}")
	})
	mux.HandleFunc("/hang-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{") // the deadline is for the whole answer
		w.(http.Flusher).Flush()
		select {
		case <-slow:
		case <-r.Context().Done():
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dead := httptest.NewServer(nil)
	dead.Close()

	for path, want := range map[string]string{
		server.URL + "/select":    "",
		server.URL + "/elsewhere": "answered 307 Temporary Redirect, where 200 is expected",
		server.URL + "/none":      "answered 404 Not Found",
		server.URL + "/broken":    "answered 503 Service Unavailable",
		server.URL + "/garbage":   `the answer is no JSON object as it should be`,
		server.URL + "/huge":      "the answer is longer than 64 KiB",
		server.URL + "/hang-up":   "EOF",
		server.URL + "/slow":      "no answer within 1s (timeout)",
		dead.URL + "/select":      "connection refused",
	} {
		t.Run(want, func(t *testing.T) {
			timeout := time.Minute
			if strings.HasSuffix(path, "/slow") {
				timeout = time.Second
			}
			s, err := askHook(t, newTestHook(t, config.Hook{URL: endpointURL(t, path+"?token=hunter2"), Authorization: "Bearer hunter2", Timeout: timeout}))
			switch {
			case want == "" && (err != nil || s.User == nil || s.User.Name != "fleet"):
				t.Errorf("%+v, %v", s, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%v, want %s", err, want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("a secret is in the error: %v", err)
			}
		})
	}
}

// TestAnEndpointThatDoesNotSpeakTLS: the question is given up, and so is the
// connection, though nobody closes the other end.
func TestAnEndpointThatDoesNotSpeakTLS(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	h := newTestHook(t, config.Hook{URL: endpointURL(t, "https://"+ln.Addr().String()), Timeout: time.Second})
	if _, err := askHook(t, h); err == nil {
		t.Fatal("it has an answer")
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection stays")
	}
}

func TestTheCAOfAnEndpoint(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the client that trusts it not
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	if _, err := askHook(t, newTestHook(t, config.Hook{URL: endpointURL(t, server.URL), CA: pool})); err != nil {
		t.Error(err)
	}
	if _, err := askHook(t, newTestHook(t, config.Hook{URL: endpointURL(t, server.URL)})); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("with the system's CAs: %v", err)
	}
}
