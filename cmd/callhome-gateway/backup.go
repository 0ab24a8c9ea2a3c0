package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"

	"github.com/spf13/cobra"
)

func newBackup() *cobra.Command {
	var gateway gatewayFlags
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write what a gateway remembers to one file",
		Long: `Writes approved devices, their ports, what was added at run time, host keys and
certificates to FILE, a tar file, as they are at one moment; with "-" to standard
output. The gateway may run meanwhile; if none does, its state directory is read.

There are private keys and passwords in the file: only its owner can read it. The
configuration file is not in it. "callhome-gateway restore" takes it back.`,
		Example: `  callhome-gateway backup /var/backups/gateway.tar
  callhome-gateway backup - | age -r "$RECIPIENT" > gateway.tar.age`,
		Args: arguments(1, 1, "FILE"),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			socket, err := gateway.path()
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return backUp(ctx, socket, w) }
			if args[0] == "-" {
				return toStandardOutput(cmd.OutOrStdout(), write)
			}
			size, err := writeBackup(args[0], write)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s (%d bytes): there are private keys in it\n", args[0], size)
			return err
		}),
	}
	gateway.add(cmd.Flags())
	return cmd
}

// backUp asks the gateway for a backup or, if none runs, reads the directory
// that the socket would be in.
func backUp(ctx context.Context, socket string, w io.Writer) error {
	err := control.NewClient(socket).Backup(ctx, w)
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	if offline := store.BackupDir(filepath.Dir(socket), w); offline != nil {
		return fmt.Errorf("%w (and %w)", offline, err)
	}
	return nil
}

func toStandardOutput(out io.Writer, write func(io.Writer) error) error {
	if isTerminal(out) {
		return usageErrorf("a backup is not for a terminal: redirect standard output, or give a file")
	}
	return write(out)
}

// writeBackup writes the file, all of it or, if anything fails, nothing: what was
// there stays. It returns the size.
func writeBackup(name string, write func(io.Writer) error) (size int64, err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is there already, and no plain file: give another name, or - and redirect standard output", name)
	}
	temp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return 0, fmt.Errorf("writing the backup: %w", err)
	}
	defer os.Remove(temp.Name()) // fails, as it should, after the rename
	if err := write(temp); err != nil {
		return 0, errors.Join(err, temp.Close())
	}
	if _, err := temp.Seek(0, io.SeekStart); err != nil {
		return 0, errors.Join(err, temp.Close())
	}
	checked := store.CheckBackup(temp)
	size, err = temp.Seek(0, io.SeekEnd)
	err = errors.Join(checked, err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return 0, fmt.Errorf("writing the backup: %w", err)
	}
	return size, nil
}

func newRestore() *cobra.Command {
	var gateway gatewayFlags
	var dir string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Take a backup back into the state directory",
		Long: `Puts what is in a backup in the place of what the state directory has: all of it
or, if the backup is damaged or of a newer version, nothing. With "-" the backup
is read from standard input. No gateway may run on the directory meanwhile.

What was there is put aside, in a directory below. Run this as the user that owns
the state directory.`,
		Example: `  systemctl stop callhome-gateway
  sudo -u callhome-gateway callhome-gateway restore - < /var/backups/gateway.tar
  systemctl start callhome-gateway`,
		Args: arguments(1, 1, "FILE"),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			if dir == "" {
				var err error
				if dir, err = gateway.stateDir(); err != nil {
					return fmt.Errorf("finding the state directory: give it with --state-dir, or mend the configuration:\n%w", err)
				}
			}
			aside, err := restore(dir, args[0], cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("restoring %s: %w", dir, err)
			}
			text := "restored " + dir
			if aside != "" {
				text += "; what was there is in " + aside + ", with its keys: remove it when it is not needed any more"
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		}),
	}
	gateway.addConfig(cmd.Flags())
	cmd.Flags().StringVar(&dir, "state-dir", "", "the state `DIRECTORY`, instead of --config")
	return cmd
}

func restore(dir, name string, in io.Reader) (aside string, err error) {
	if name == "-" {
		if isTerminal(in) {
			return "", usageErrorf("a backup does not come from a terminal: redirect standard input, or give a file")
		}
		return store.Restore(dir, in)
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("%w: pass it on standard input, as in restore - < %s", err, name)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	return store.Restore(dir, f)
}
