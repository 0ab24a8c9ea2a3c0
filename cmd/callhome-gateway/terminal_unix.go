//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// pollInterval is how soon a signal ends the wait for a password, in milliseconds.
const pollInterval = 100

type descriptor interface{ Fd() uintptr }

// isTerminal reports whether the stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(descriptor)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), ioctlGetTermios)
	return err == nil
}

// terminalWidth returns the terminal's columns, or 0 if it is none.
func terminalWidth(stream any) int {
	f, ok := stream.(descriptor)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// readHidden reads a line that the terminal does not show. The terminal is as
// before when it returns, also when ctx ends.
func readHidden(ctx context.Context, terminal *os.File) (line []byte, err error) {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return nil, err
	}
	hidden := *before
	hidden.Lflag = hidden.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(fd, ioctlSetTermios, &hidden); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unix.IoctlSetTermios(fd, ioctlSetTermios, before)) }()
	if err := waitForLine(ctx, fd); err != nil {
		return nil, err
	}
	buffer := make([]byte, 4<<10) // the longest line that a terminal holds
	n, err := unix.Read(fd, buffer)
	if err != nil {
		return nil, err
	}
	return buffer[:n], nil
}

// waitForLine polls, because a read could not be interrupted and would leave
// the terminal without echo.
func waitForLine(ctx context.Context, fd int) error {
	for {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, pollInterval)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
