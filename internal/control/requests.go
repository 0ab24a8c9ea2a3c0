package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Status implements Backend.
func (c *Client) Status(ctx context.Context) (result Status, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/status", nil, &result)
	return result, err
}

// Reload implements Backend.
func (c *Client) Reload(ctx context.Context) (result ReloadResult, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/reload", nil, &result)
	return result, err
}

// Backup implements Backend.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	return c.stream(ctx, http.MethodPost, "/v1/backup", nil, copyTo(w))
}

func copyTo(w io.Writer) func(io.Reader) error {
	return func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	}
}

// Devices implements Backend.
func (c *Client) Devices(ctx context.Context) (result []Device, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/devices", nil, &result)
	return result, err
}

// Device implements Backend.
func (c *Client) Device(ctx context.Context, name string) (d Device, err error) {
	if name == "" || name == "." || name == ".." {
		return d, fmt.Errorf("%w: %q is no device", ErrInvalid, name)
	}
	err = c.ask(ctx, http.MethodGet, "/v1/devices/"+url.PathEscape(name), nil, &d)
	return d, err
}

// Approve implements Backend.
func (c *Client) Approve(ctx context.Context, r ApproveRequest) (result Device, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/approve", r, &result)
	return result, err
}

// ApproveList implements Backend.
func (c *Client) ApproveList(ctx context.Context, list string) (devices []Device, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/approve-list", listed{list}, &devices)
	return devices, err
}

// Reject implements Backend.
func (c *Client) Reject(ctx context.Context, device string) (result Device, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/reject", target{device}, &result)
	return result, err
}

// Rename implements Backend.
func (c *Client) Rename(ctx context.Context, r RenameRequest) (result Device, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/rename", r, &result)
	return result, err
}

// Forget implements Backend.
func (c *Client) Forget(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, "/v1/forget", target{name}, nil)
}

// Disconnect implements Backend.
func (c *Client) Disconnect(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, "/v1/disconnect", target{name}, nil)
}

// Trace implements Backend.
func (c *Client) Trace(ctx context.Context, device string, w io.Writer) error {
	return c.stream(ctx, http.MethodPost, "/v1/trace", target{device}, copyTo(w))
}

// CallhomeServer implements Backend.
func (c *Client) CallhomeServer(ctx context.Context) (result CallhomeServer, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/callhome-server", nil, &result)
	return result, err
}

// StartCallhome implements Backend.
func (c *Client) StartCallhome(ctx context.Context, r StartRequest) (result CallhomeServer, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/callhome-server/start", r, &result)
	return result, err
}

// StopCallhome implements Backend.
func (c *Client) StopCallhome(ctx context.Context) (result CallhomeServer, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/callhome-server/stop", nil, &result)
	return result, err
}

// CallhomeUsers implements Backend.
func (c *Client) CallhomeUsers(ctx context.Context) (result []CallhomeUser, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/callhome-users", nil, &result)
	return result, err
}

// AddCallhomeUser implements Backend.
func (c *Client) AddCallhomeUser(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, "/v1/callhome-users/add", named{name}, nil)
}

// RemoveCallhomeUser implements Backend.
func (c *Client) RemoveCallhomeUser(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, "/v1/callhome-users/remove", named{name}, nil)
}

// Users implements Backend.
func (c *Client) Users(ctx context.Context) (result []User, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/users", nil, &result)
	return result, err
}

// SaveUser implements Backend.
func (c *Client) SaveUser(ctx context.Context, r SaveUserRequest) (result User, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/users/save", r, &result)
	return result, err
}

// RemoveUser implements Backend.
func (c *Client) RemoveUser(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, "/v1/users/remove", named{name}, nil)
}

// Sessions implements Backend.
func (c *Client) Sessions(ctx context.Context) (result []SessionEntry, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/sessions", nil, &result)
	return result, err
}

// SaveSession implements Backend.
func (c *Client) SaveSession(ctx context.Context, r SaveSessionRequest) (result SessionEntry, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/sessions/save", r, &result)
	return result, err
}

// RemoveSession implements Backend.
func (c *Client) RemoveSession(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodPost, "/v1/sessions/remove", named{name}, nil)
}

// Failures implements Backend.
func (c *Client) Failures(ctx context.Context) (result []Failure, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/failures", nil, &result)
	return result, err
}

// ClearFailures implements Backend.
func (c *Client) ClearFailures(ctx context.Context, f FailureFilter) (result int, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/failures/clear", f, &result)
	return result, err
}

// Events implements Backend.
func (c *Client) Events(ctx context.Context) (result []Event, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/events", nil, &result)
	return result, err
}

// Follow implements Backend.
func (c *Client) Follow(ctx context.Context, tell func(Event) error) error {
	return c.stream(ctx, http.MethodGet, "/v1/events/follow", nil, func(r io.Reader) error {
		for lines := json.NewDecoder(r); ; {
			var e Event
			err := lines.Decode(&e)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading the events: %w", err)
			}
			if err := tell(e); err != nil {
				return err
			}
		}
	})
}
