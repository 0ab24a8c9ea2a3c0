package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/config"
)

// hookEndpoint is an HTTP server that questions are posted to.
type hookEndpoint struct {
	client        *http.Client
	url           *url.URL
	authorization auth.Secret
}

// newHookEndpoint makes a client of its own: no proxy of the environment, no
// redirect and no cookie can lead it elsewhere. What it takes to connect has a
// timeout of its own: net/http goes on with it when its question is given up.
func newHookEndpoint(c *config.Hook) *hookEndpoint {
	return &hookEndpoint{url: c.URL, authorization: c.Authorization, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: c.Timeout}).DialContext,
			TLSHandshakeTimeout:    c.Timeout,
			TLSClientConfig:        &tls.Config{RootCAs: c.CA, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    c.MaxRunning,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxHookAnswer,
			DisableCompression:     true, // what is bounded is what is read
		},
	}}
}

func (e *hookEndpoint) close() { e.client.CloseIdleConnections() }

// ask has no timeout but that of ctx.
func (e *hookEndpoint) ask(ctx context.Context, question []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", e.url.Host, withoutURL(err))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header["Idempotency-Key"] = nil // not sent: it may be asked again where the server closed an idle connection
	if e.authorization != "" {
		r.Header.Set("Authorization", e.authorization.Reveal())
	}
	response, err := e.client.Do(r)
	if err != nil { // whoever answers there may have a say in its text
		return nil, fmt.Errorf("asking %s: %.200s", e.url.Host, withoutURL(err))
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxHookAnswer+1))
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answered %d %s, where 200 is expected", e.url.Host, response.StatusCode, http.StatusText(response.StatusCode))
	case err != nil:
		return nil, fmt.Errorf("reading the answer of %s: %.200s", e.url.Host, err)
	case len(answer) > maxHookAnswer:
		return nil, errHookAnswerTooLong
	}
	return answer, nil
}

// withoutURL takes the URL out of an error: there may be a token in it.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
