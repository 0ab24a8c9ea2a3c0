package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"callhome-gateway/internal/devicesim"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is an error in how the program was called.
type usageError struct{ error }

// run runs the program until it is told to end, and returns its exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := command(stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "callhome-device: %v\n", err)
	if errors.As(err, new(usageError)) {
		fmt.Fprintln(stderr, "Run callhome-device --help for usage.")
		return exitUsage
	}
	return exitFailed
}

func command(stderr io.Writer) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "callhome-device --connect HOST:PORT",
		Short: "Simulate NETCONF devices that call home over SSH or TLS",
		Long: `Simulate NETCONF devices that call home over SSH or TLS (RFC 8071): each dials
HOST:PORT, is the SSH or TLS server on that connection, and speaks NETCONF when it is
logged in to. When a call ends it dials again. The host keys or certificates, by which
devices are known, are printed to standard output, one line for each device: its name
and fingerprint.`,
		Example: `  callhome-device --connect 127.0.0.1:4334 --password secret
  callhome-device --connect 127.0.0.1:4334 --password secret --count 1000 --seed lab --rate 50
  callhome-device --connect 127.0.0.1:4334 --password secret --junos-device-id mx480 --junos-secret shared
  callhome-device --connect 127.0.0.1:4335 --tls --client-ca gateway-ca.pem --ca-certificate ca.pem --ca-key ca.key`,
		Args:          noArguments,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.simulate(cmd.Context(), cmd.OutOrStdout(), stderr)
		},
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f.register(cmd.Flags())
	return cmd
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q: all settings are flags", args[0])}
	}
	return nil
}

// simulate runs the devices that the flags describe until ctx ends.
func (f *flags) simulate(ctx context.Context, stdout, stderr io.Writer) error {
	fleet, err := f.fleet(hclog.New(&hclog.LoggerOptions{
		Name:   "callhome-device",
		Level:  hclog.LevelFromString(f.logLevel),
		Output: stderr,
	}))
	if err != nil {
		return err
	}
	for _, d := range fleet.Devices {
		for _, print := range d.Fingerprints() {
			fmt.Fprintf(stdout, "%s %s\n", d.Name(), print)
		}
	}
	return fleet.Run(ctx)
}

func (f *flags) fleet(log hclog.Logger) (*devicesim.Fleet, error) {
	options, err := f.options()
	if err != nil {
		return nil, err
	}
	options.Log = log
	fleet, err := devicesim.NewFleet(options)
	if err != nil {
		return nil, usageError{err}
	}
	return fleet, nil
}
