package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a pseudo terminal.
func openTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	// Opened without O_NONBLOCK, so that Fd leaves it as it is.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	person = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	return person, terminal
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), ioctlGetTermios)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// typist types the next line whenever it is prompted, when the echo is off.
type typist struct {
	t        *testing.T
	person   io.Writer
	lines    []string
	prompted bytes.Buffer
}

func (p *typist) Write(prompt []byte) (int, error) {
	p.prompted.Write(prompt)
	if strings.HasSuffix(string(prompt), ": ") && len(p.lines) > 0 {
		if _, err := io.WriteString(p.person, p.lines[0]+"\n"); err != nil {
			p.t.Error(err)
		}
		p.lines = p.lines[1:]
	}
	return len(prompt), nil
}

func TestAPasswordIsAskedTwice(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  string
		err   string
	}{
		"the same":  {[]string{"sesame", "sesame"}, "sesame", ""},
		"different": {[]string{"sesame", "simsim"}, "", "differ"},
		"empty":     {[]string{""}, "", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			person, terminal := openTerminal(t)
			prompt := &typist{t: t, person: person, lines: c.lines}
			password, err := newPassword(t.Context(), terminal, prompt)
			if string(password) != c.want || c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %q, %v", password, err)
			}
			if !echoes(t, terminal) {
				t.Error("the echo is still off")
			}
		})
	}
}

func TestASignalLeavesTheTerminalAsItWas(t *testing.T) {
	_, terminal := openTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readHidden(ctx, terminal); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
	if !echoes(t, terminal) {
		t.Error("the echo is still off")
	}
}
