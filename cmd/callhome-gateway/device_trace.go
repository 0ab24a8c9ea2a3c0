package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

type traceFlags struct {
	output   string
	duration time.Duration
	force    bool
}

func newDeviceTrace(gateway *gatewayFlags) *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace DEVICE",
		Short: "Write down the messages of a device",
		Long: `Writes the NETCONF messages that managers exchange with a device, from now on until
Ctrl-C or for as long as --duration says: for a vendor's case. What is known to be
secret is left out; look through it all the same before you give it away.

The file that --output names can be read by its owner alone. One that is there
already is left as it is, and that is an error, unless --force is given.`,
		Example: `  callhome-gateway device trace edge-1
  callhome-gateway device trace edge-1 --output edge-1.trace --duration 10m`,
		Args:              arguments(1, 1, "DEVICE"),
		ValidArgsFunction: completeDevices(gateway),
		PreRunE:           func(cmd *cobra.Command, _ []string) error { return f.check(cmd) },
		RunE: gateway.action(func(cmd *cobra.Command, client *control.Client, args []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			if f.duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, f.duration)
				defer cancel()
			}
			if f.output != "" {
				return f.toFile(ctx, cmd.ErrOrStderr(), client, args[0])
			}
			return untilEnded(ctx, client.Trace(ctx, args[0], cmd.OutOrStdout()))
		}),
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "write to this `FILE`, not to standard output")
	cmd.Flags().DurationVar(&f.duration, "duration", 0, "end after this `TIME`, such as 10m")
	cmd.Flags().BoolVar(&f.force, "force", false, "replace the file of --output, if there is one")
	return cmd
}

func (f traceFlags) check(cmd *cobra.Command) error {
	switch {
	case cmd.Flags().Changed("output") && f.output == "":
		return usageErrorf("--output is empty: give a file, or leave the flag out")
	case f.force && f.output == "":
		return usageErrorf("--force is about the file of --output: give one, or leave the flag out")
	case cmd.Flags().Changed("duration") && f.duration <= 0:
		return usageErrorf("--duration %v is no time to trace for: give one such as 10m", f.duration)
	}
	return nil
}

// toFile leaves no file where the trace does not begin.
func (f traceFlags) toFile(ctx context.Context, told io.Writer, client *control.Client, device string) error {
	file, err := createOwn(f.output, f.force)
	if err != nil {
		return err
	}
	until := "until Ctrl-C"
	if f.duration > 0 {
		until = fmt.Sprintf("for %v or until Ctrl-C", f.duration)
	}
	fmt.Fprintf(told, "writing the messages of %s to %s, %s\n", clean(device), f.output, until)
	written := &counter{to: file}
	err = untilEnded(ctx, client.Trace(ctx, device, written))
	if err = errors.Join(err, file.Close()); err != nil && written.n == 0 {
		err = errors.Join(err, os.Remove(f.output))
	}
	return err
}

// createOwn creates a file that only its owner can read, in the place of one
// that is there if replace says so.
func createOwn(path string, replace bool) (*os.File, error) {
	if info, err := os.Lstat(path); replace && err == nil && info.Mode().IsRegular() {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replacing a file: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s is there already: give another name, or --force to replace a file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("creating a file: %w", err)
	}
	return file, nil
}

// counter counts what was written.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// untilEnded is the error of what goes on until ctx ends, which is none.
func untilEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}
