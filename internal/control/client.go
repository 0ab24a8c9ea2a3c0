package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

const (
	clientTimeout = requestTimeout + 5*time.Second
	// maxResponse has room for 100,000 devices.
	maxResponse = 128 << 20
)

var _ Backend = (*Client)(nil)

// Client asks a running gateway. Its methods may be called concurrently; each
// takes 35 seconds at most, but for those that stream: Backup, Trace and Follow
// take as long as their ctx and the gateway go on.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client for the gateway with this control socket. It
// connects anew for each request and needs no closing.
func NewClient(socket string) *Client {
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Client{socket: socket, http: &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
		},
	}}
}

// ask sends one request and decodes the answer into result, if it is not nil.
func (c *Client) ask(ctx context.Context, method, path string, body, result any) error {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if result == nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("reading the gateway's answer: %w", err)
	}
	if err := json.Unmarshal(data, result); err != nil {
		return fmt.Errorf("reading the gateway's answer (is it of another version?): %w", err)
	}
	return nil
}

// stream sends one request, and has read take what is answered until it ends.
func (c *Client) stream(ctx context.Context, method, path string, body any, read func(io.Reader) error) error {
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := read(response.Body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() == nil {
			return fmt.Errorf("%w: it has ended in the middle of its answer", ErrStopping)
		}
		return err
	}
	return streamFailure(response.Trailer)
}

// send sends one request, and returns the answer if it is a success.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://callhome-gateway"+path, content)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.unanswered(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return nil, fmt.Errorf("reading the gateway's answer: %w", err)
	}
	return nil, remoteFailure(response.Status, data)
}

func remoteFailure(status string, data []byte) error {
	var f failure
	if err := json.Unmarshal(data, &f); err != nil || f.Error == "" {
		return fmt.Errorf("the gateway answered %s with no explanation: is it of another version?", status)
	}
	return f.asError()
}

// unanswered says what to do about a gateway that did not answer.
func (c *Client) unanswered(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s: start one with \"callhome-gateway serve\", or say with --config or --socket which one you mean", ErrNotRunning, c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w to use %s: run this as root, or as the user that the gateway runs as", ErrRefused, c.socket)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: the path of the socket is too long: %s", ErrInvalid, c.socket)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the made-up URL
	}
	return fmt.Errorf("asking the gateway on %s: %w", c.socket, err)
}
