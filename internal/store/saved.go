package store

import (
	"errors"
	"io"
	"time"

	"callhome-gateway/auth"
)

var errLater = errors.New("this is not there yet")

// The kinds of what is Saved.
const (
	SavedUser         = "user"
	SavedSession      = "session"
	SavedCallhomeUser = "callhome-user"
)

// Saved is a part of the configuration that was added while the gateway ran.
type Saved struct {
	// Kind is one of SavedUser, SavedSession and SavedCallhomeUser.
	Kind string
	Name string
	// Text is the block as it would stand in the file; empty for a callhome-user,
	// which has only a name. There may be secrets in it.
	Text  string
	Since time.Time
}

// Saved returns everything, in the order in which it was saved.
func (s *Store) Saved() []Saved { return nil }

// Save adds one, or replaces the one of its kind and name.
func (s *Store) Save(Saved) error { return errLater }

// Unsave removes one. The error wraps auth.ErrUnknown… where there is none.
func (s *Store) Unsave(kind, name string) error { return errLater }

// Rename gives a device another name: its keys, its voucher, its port and when
// it was seen go along. It returns the devices as they are now. The error wraps
// auth.ErrNameTaken where the new name is somebody's.
func (s *Store) Rename(from, to string) ([]auth.Device, error) { return nil, errLater }

// Backup writes all that the state directory holds and a restart needs, as it
// is at one moment, while the store is in use. There are private keys in it.
func (s *Store) Backup(w io.Writer) error { return errLater }

// Restore puts a backup in the place of what dir holds. It fails, with nothing
// changed, if the backup is damaged or of a newer version, and if a gateway
// runs there.
func Restore(dir string, r io.Reader) error { return errLater }
