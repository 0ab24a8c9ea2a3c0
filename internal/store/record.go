package store

import (
	"encoding/json"
	"errors"
	"fmt"
)

// version is that of every record that this program writes, and of the store.
// It is raised, with a migration, when an older program would misread what a
// newer one has written.
const version = 1

type header struct {
	V int `json:"v"`
}

// encode returns the record as it is stored. Records hold only strings, numbers
// and times, whose encoding cannot fail, except for a year beyond 9999: the
// error is returned all the same.
func encode(table, key string, record any) (change, error) {
	value, err := json.Marshal(record)
	if err != nil {
		return change{}, fmt.Errorf("encoding record %q of %q: %w", key, table, err)
	}
	return change{table: table, key: key, value: value}, nil
}

func decode[T any](value []byte) (record T, err error) {
	h, err := decodeHeader(value)
	if err != nil {
		return record, err
	}
	if h.V > version { // to go on would be to lose what this program does not understand
		return record, fmt.Errorf("written by a newer callhome-gateway (record version %d, known is %d): run that version, or restore a backup from before it", h.V, version)
	}
	if err := json.Unmarshal(value, &record); err != nil {
		return record, fmt.Errorf("it is damaged: %w", err)
	}
	return record, nil
}

func decodeHeader(value []byte) (h header, err error) {
	if err := json.Unmarshal(value, &h); err != nil {
		return h, fmt.Errorf("it is damaged: %w", err)
	}
	if h.V < 1 {
		return h, errors.New("it is damaged: it has no version")
	}
	return h, nil
}
