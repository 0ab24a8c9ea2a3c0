//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package main

import (
	"context"
	"errors"
	"os"
)

// Nothing is known to be a terminal here: passwords are read from a pipe.
func isTerminal(any) bool { return false }

func terminalWidth(any) int { return 0 }

func readHidden(context.Context, *os.File) ([]byte, error) {
	return nil, errors.New("a password cannot be typed unseen on this system: pipe it in")
}
