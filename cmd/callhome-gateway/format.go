package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"callhome-gateway/internal/config"

	"github.com/spf13/cobra"
)

// maxFormat bounds what fmt reads, in bytes.
const maxFormat = 1 << 20

func newFormat() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE... | -]",
		Short: "Rewrite configuration files in the canonical layout",
		Long: `Rewrites each file, ` + defaultConfig + ` if none is given, in
the canonical layout, and prints the names of those that it changed. Only white
space changes. A file with syntax errors is left alone. With "-", standard input
is formatted to standard output.

With --check nothing is written: the names of the files that are not in the
canonical layout are printed, and the exit status is 1 if there are any.`,
		Example: `  callhome-gateway fmt config.hcl
  callhome-gateway fmt --check *.hcl
  callhome-gateway fmt - < config.hcl`,
		RunE: action(func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{defaultConfig}
			}
			f := formatter{in: cmd.InOrStdin(), out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr(), check: check}
			var errs []error
			for _, name := range args {
				errs = append(errs, f.format(name))
			}
			return errors.Join(errs...)
		}),
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; fail if a file would change")
	return cmd
}

type formatter struct {
	in          io.Reader
	out, errOut io.Writer
	check       bool
}

func (f formatter) format(name string) error {
	before, err := f.read(name)
	if err != nil {
		return err
	}
	after, problems := config.Format(name, before)
	if problems.HasErrors() {
		return errors.Join(report(f.errOut, problems), fmt.Errorf("%s has syntax errors and was left alone", name))
	}
	same := bytes.Equal(before, after)
	switch {
	case name == "-" && !f.check:
		_, err = f.out.Write(after)
		return err
	case same:
		return nil
	case f.check:
		return fmt.Errorf("%s is not in the canonical layout: run \"callhome-gateway fmt\" on it", name)
	}
	if err := replace(name, after); err != nil {
		return err
	}
	_, err = fmt.Fprintln(f.out, name)
	return err
}

func (f formatter) read(name string) ([]byte, error) {
	in := f.in
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	content, err := io.ReadAll(io.LimitReader(in, maxFormat+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(content) > maxFormat {
		return nil, fmt.Errorf("%s is larger than %d MiB: that is no configuration", name, maxFormat>>20)
	}
	return content, nil
}

// replace gives the file new content: all of it or, if that fails, none. A
// symbolic link stays one.
func replace(name string, content []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(target), ".fmt-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer os.Remove(temp.Name()) // fails, as it should, after the rename
	_, writeErr := temp.Write(content)
	err = errors.Join(writeErr, keepOwner(temp, info), temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), target)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
