package daemon

import (
	"context"
	"errors"
	"io"

	"callhome-gateway/internal/control"
)

var errNotYet = errors.New("this is not there yet")

// Backup implements control.Backend.
func (b backend) Backup(_ context.Context, w io.Writer) error { return b.store.Backup(w) }

// Rename implements control.Backend.
func (b backend) Rename(context.Context, control.RenameRequest) (control.Device, error) {
	return control.Device{}, errNotYet
}

// Trace implements control.Backend.
func (b backend) Trace(context.Context, string, io.Writer) error { return errNotYet }

// CallhomeUsers implements control.Backend.
func (b backend) CallhomeUsers(context.Context) ([]control.CallhomeUser, error) {
	return nil, errNotYet
}

// AddCallhomeUser implements control.Backend.
func (b backend) AddCallhomeUser(context.Context, string) error { return errNotYet }

// RemoveCallhomeUser implements control.Backend.
func (b backend) RemoveCallhomeUser(context.Context, string) error { return errNotYet }

// Users implements control.Backend.
func (b backend) Users(context.Context) ([]control.User, error) { return nil, errNotYet }

// SaveUser implements control.Backend.
func (b backend) SaveUser(context.Context, control.SaveUserRequest) (control.User, error) {
	return control.User{}, errNotYet
}

// RemoveUser implements control.Backend.
func (b backend) RemoveUser(context.Context, string) error { return errNotYet }

// Sessions implements control.Backend.
func (b backend) Sessions(context.Context) ([]control.SessionEntry, error) { return nil, errNotYet }

// SaveSession implements control.Backend.
func (b backend) SaveSession(context.Context, control.SaveSessionRequest) (control.SessionEntry, error) {
	return control.SessionEntry{}, errNotYet
}

// RemoveSession implements control.Backend.
func (b backend) RemoveSession(context.Context, string) error { return errNotYet }
