package store

import (
	"errors"
	"fmt"

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
	close() error
}

// change is one record to be written, or to be deleted if value is nil.
type change struct {
	table, key string
	value      []byte
}

type boltDisk struct{ db *bbolt.DB }

func openBolt(path string) (disk, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("another callhome-gateway is using %s: stop it, or give this one another state_dir", path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%s is damaged or no state file (%w): restore it from a backup, or move it away to start anew", path, err)
	case err != nil:
		return nil, fmt.Errorf("opening the state file: %w", err)
	}
	return boltDisk{db}, nil
}

func (d boltDisk) load(visit func(table, key string, value []byte) error) error {
	return d.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(table []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error { return visit(string(table), string(k), v) })
		})
	})
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

func (d boltDisk) close() error { return d.db.Close() }
