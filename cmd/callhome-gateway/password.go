package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
)

const (
	// bcryptCost takes about a quarter of a second of CPU for each login.
	bcryptCost = 12
	// maxPassword is bcrypt's: it would ignore what comes after.
	maxPassword = 72
	// maxLine bounds any password.
	maxLine = 1 << 10
)

func newHashPassword() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Make a password hash for a manager",
		Long: `Asks for a password, without showing it, and prints its bcrypt hash for
password_hash in a manager block. If standard input is no terminal, its one line
is the password.`,
		Example: `  callhome-gateway hash-password
  pass show netconf/noc | callhome-gateway hash-password`,
		Args: noArguments,
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			password, err := newPassword(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if len(password) > maxPassword {
				return fmt.Errorf("the password is longer than %d bytes, of which bcrypt would ignore the rest: choose a shorter one", maxPassword)
			}
			hash, err := bcrypt.GenerateFromPassword(password, bcryptCost)
			if err != nil {
				return fmt.Errorf("hashing the password: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", hash)
			return err
		}),
	}
}

func newPassword(ctx context.Context, in io.Reader, prompt io.Writer) ([]byte, error) {
	if terminal, ok := in.(*os.File); ok && isTerminal(terminal) {
		return askTwice(ctx, terminal, prompt)
	}
	line, err := io.ReadAll(io.LimitReader(in, maxLine+2))
	if err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	return checkPassword(line)
}

func askTwice(ctx context.Context, terminal *os.File, prompt io.Writer) ([]byte, error) {
	ctx, stop := untilSignal(ctx)
	defer stop()
	first, err := ask(ctx, terminal, prompt, "Password: ")
	if err != nil {
		return nil, err
	}
	first, err = checkPassword(first)
	if err != nil {
		return nil, err
	}
	second, err := ask(ctx, terminal, prompt, "Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, trimLine(second)) {
		return nil, errors.New("the two passwords differ: try again")
	}
	return first, nil
}

func ask(ctx context.Context, terminal *os.File, prompt io.Writer, text string) ([]byte, error) {
	fmt.Fprint(prompt, text)
	line, err := readHidden(ctx, terminal)
	fmt.Fprintln(prompt) // the terminal did not show the one that was typed
	if err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	return line, nil
}

func checkPassword(line []byte) ([]byte, error) {
	password := trimLine(line)
	switch {
	case len(password) == 0:
		return nil, errors.New("the password is empty: give one on standard input, or run this on a terminal")
	case bytes.ContainsAny(password, "\r\n"):
		return nil, errors.New("the password has more than one line: give one line only")
	case len(password) > maxLine:
		return nil, fmt.Errorf("the password is longer than %d bytes: choose a shorter one", maxLine)
	}
	return password, nil
}

func trimLine(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
