package main

import (
	"errors"
	"io"
	"testing"
)

func TestABackupIsNotForATerminal(t *testing.T) {
	_, terminal := openTerminal(t)
	var usage *usageError
	err := toStandardOutput(terminal, func(io.Writer) error {
		t.Error("it is written")
		return nil
	})
	if !errors.As(err, &usage) {
		t.Errorf("to a terminal: %v", err)
	}
	if _, err := restore(t.TempDir(), "-", terminal); !errors.As(err, &usage) {
		t.Errorf("from a terminal: %v", err)
	}
}
