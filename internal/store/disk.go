package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// disk is where records are kept: the one place that knows how.
type disk interface {
	// load visits every record. The value is valid during the visit only.
	load(visit func(table, key string, value []byte) error) error
	// apply makes all the changes or none, and returns when they would
	// survive a crash.
	apply([]change) error
	// copyTo writes all of it as it is at one moment.
	copyTo(io.Writer) error
	close() error
}

// change is one record to be written, or to be deleted if value is nil.
type change struct {
	table, key string
	value      []byte
}

type boltDisk struct{ db *bbolt.DB }

// errInUse says that another process has the state file open, errDamaged that
// there is none in it.
var (
	errInUse   = errors.New("another callhome-gateway is using")
	errDamaged = errors.New("is damaged or no state file")
)

// openBolt opens the file, or makes it unless it is only to be read. Nobody else
// can write it until it is closed.
func openBolt(path string, readOnly bool) (disk, error) {
	info, err := os.Stat(path)
	if err == nil && (readOnly || info.Size() > 0) {
		err = whole(path, info.Size())
	} else if !readOnly && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	var db *bbolt.DB
	if err == nil {
		db, err = openFile(path, readOnly)
	}
	var system *fs.PathError
	switch {
	case err == nil:
		return boltDisk{db}, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w %s: stop it, or give this one another state_dir", errInUse, path)
	case errors.As(err, &system):
		return nil, fmt.Errorf("opening the state file: %w", err)
	}
	return nil, damaged(path, err)
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s %w (%w): restore it from a backup, or move it away to start anew", path, errDamaged, err)
}

// whole fails if the file has ended before its last page: to go on would be to
// read what is not there.
func whole(path string, size int64) error {
	db, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > size {
			return fmt.Errorf("it has %d bytes of %d", size, tx.Size())
		}
		return nil
	})
}

func openFile(path string, readOnly bool) (db *bbolt.DB, err error) {
	err = survive(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType, ReadOnly: readOnly})
		return err
	})
	return db, err
}

// errBroken is what survive has caught.
var errBroken = errors.New("its pages make no sense")

// survive makes an error of what bbolt does with a file that was overwritten: it
// panics, or reads where nothing is. The file stays locked by this process.
func survive(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errBroken, r)
		}
	}()
	return do()
}

func (d boltDisk) load(visit func(table, key string, value []byte) error) error {
	tx, err := d.db.Begin(false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	err = survive(func() error {
		return tx.ForEach(func(table []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error { return visit(string(table), string(k), v) })
		})
	})
	if errors.Is(err, errBroken) {
		return damaged(d.db.Path(), err)
	}
	return err
}

func (d boltDisk) apply(changes []change) error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range changes {
			if err := applyTo(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func applyTo(tx *bbolt.Tx, c change) error {
	b, err := tx.CreateBucketIfNotExists([]byte(c.table))
	if err != nil {
		return err
	}
	if c.value == nil {
		return b.Delete([]byte(c.key))
	}
	return b.Put([]byte(c.key), c.value)
}

func (d boltDisk) copyTo(w io.Writer) error {
	return d.db.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

func (d boltDisk) close() error { return d.db.Close() }
