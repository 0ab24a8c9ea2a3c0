package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

// The version of the whole store is in a record of its own.
const (
	metaTable  = "meta"
	versionKey = "version"
)

type recordKey struct{ table, key string }

// migration makes the records of one version those of the next. It may change
// the map, but none of its values.
type migration func(map[recordKey][]byte) error

// migrations has one for each version but the last, in order: the first takes
// what version 1 has written.
var migrations []migration

// upgrade makes what is on the disk of the version to which the migrations
// lead: all of it, or nothing. What was there is kept first, in a file beside it
// that is named after its version.
func upgrade(d disk, dir string, migrations []migration) error {
	known := 1 + len(migrations)
	v, err := storedVersion(d)
	switch {
	case err != nil || v == known:
		return err
	case v > known:
		return newer(v, known)
	case v == 0: // nothing is there
		return d.apply([]change{versionRecord(known)})
	}
	if err := keep(d, filepath.Join(dir, fmt.Sprintf("%s.v%d", fileName, v))); err != nil {
		return fmt.Errorf("keeping the state of version %d before it is upgraded: %w", v, err)
	}
	changes, err := migrate(d, migrations[v-1:])
	if err != nil {
		return fmt.Errorf("upgrading the state from version %d to %d: %w", v, known, err)
	}
	return d.apply(append(changes, versionRecord(known)))
}

func newer(v, known int) error {
	return fmt.Errorf("written by a newer callhome-gateway (state version %d, known is %d): run that one, or restore a backup from before it; if it has upgraded the state, what was there before is in %s.v%d", v, known, fileName, known)
}

// storedVersion returns the version of what is on the disk, 0 if nothing is. The
// first gateways wrote none.
func storedVersion(d disk) (v int, err error) {
	err = d.load(func(table, key string, value []byte) error {
		v = max(v, 1)
		if table != metaTable || key != versionKey {
			return nil
		}
		h, err := decodeHeader(value)
		v = h.V
		return err
	})
	return v, err
}

func versionRecord(v int) change {
	return change{table: metaTable, key: versionKey, value: fmt.Appendf(nil, `{"v":%d}`, v)}
}

// migrate returns what the migrations change, one after the other.
func migrate(d disk, migrations []migration) (changes []change, err error) {
	old := map[recordKey][]byte{}
	err = d.load(func(table, key string, value []byte) error {
		old[recordKey{table, key}] = bytes.Clone(value)
		return nil
	})
	if err != nil {
		return nil, err
	}
	records := maps.Clone(old)
	for _, m := range migrations {
		if err := m(records); err != nil {
			return nil, err
		}
	}
	for at := range old {
		if _, ok := records[at]; !ok {
			changes = append(changes, change{table: at.table, key: at.key})
		}
	}
	for at, value := range records {
		if !bytes.Equal(value, old[at]) {
			changes = append(changes, change{table: at.table, key: at.key, value: value})
		}
	}
	return changes, nil
}

// keep copies the state to a file, whole or not at all.
func keep(d disk, path string) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = d.copyTo(f)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+".new", path), syncDir(filepath.Dir(path)))
}
