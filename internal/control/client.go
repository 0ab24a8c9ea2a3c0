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
// takes 35 seconds at most.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client for the gateway with this control socket. It
// connects anew for each request and needs no closing.
func NewClient(socket string) *Client {
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Client{socket: socket, http: &http.Client{
		Timeout: clientTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", socket)
			},
		},
	}}
}

// Status implements Backend.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.do(ctx, http.MethodGet, "/v1/status", nil, &s)
	return s, err
}

// Devices implements Backend.
func (c *Client) Devices(ctx context.Context) (devices []Device, err error) {
	err = c.do(ctx, http.MethodGet, "/v1/devices", nil, &devices)
	return devices, err
}

// Device implements Backend.
func (c *Client) Device(ctx context.Context, name string) (d Device, err error) {
	if name == "" || name == "." || name == ".." {
		return d, fmt.Errorf("%w: %q is no device", ErrInvalid, name)
	}
	err = c.do(ctx, http.MethodGet, "/v1/devices/"+url.PathEscape(name), nil, &d)
	return d, err
}

// Approve implements Backend.
func (c *Client) Approve(ctx context.Context, r ApproveRequest) (d Device, err error) {
	err = c.do(ctx, http.MethodPost, "/v1/approve", r, &d)
	return d, err
}

// Reject implements Backend.
func (c *Client) Reject(ctx context.Context, device string) (d Device, err error) {
	err = c.do(ctx, http.MethodPost, "/v1/reject", target{device}, &d)
	return d, err
}

// Forget implements Backend.
func (c *Client) Forget(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodPost, "/v1/forget", target{name}, nil)
}

// Disconnect implements Backend.
func (c *Client) Disconnect(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodPost, "/v1/disconnect", target{name}, nil)
}

// do sends one request and decodes the answer into result, if it is not nil.
func (c *Client) do(ctx context.Context, method, path string, body, result any) error {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://callhome-gateway"+path, content)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return c.unanswered(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("reading the gateway's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return remoteFailure(response.Status, data)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(data, result); err != nil {
		return fmt.Errorf("reading the gateway's answer (is it of another version?): %w", err)
	}
	return nil
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
