package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

const (
	programName   = "callhome-gateway"
	defaultConfig = "/etc/callhome-gateway/config.hcl"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program. It returns the exit status.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(errOut, "%s: %v\n", programName, err)
	var failed *failedError
	if errors.As(err, &failed) {
		return exitFailed
	}
	fmt.Fprintf(errOut, "Try \"%s --help\".\n", cmd.CommandPath())
	return exitUsage
}

// failedError is the error of a command that was used rightly. All others come
// from reading the command line.
type failedError struct{ err error }

func (e *failedError) Error() string { return e.err.Error() }
func (e *failedError) Unwrap() error { return e.err }

// usageErrorf is for what a command itself finds wrong with its command line.
func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// action makes a command's errors failures, unless they are about its usage.
func action(do func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := do(cmd, args)
		var usage *usageError
		if err == nil || errors.As(err, &usage) {
			return err
		}
		return &failedError{err}
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   programName,
		Short: "Reach NETCONF devices that call home as if they could be dialled",
		Long: `Devices behind NAT or firewalls call home (RFC 8071): they dial, and wait for a
NETCONF client to log in. callhome-gateway accepts their calls, checks who they
are, logs in, keeps the connection, and offers each device as an ordinary
NETCONF endpoint over SSH, so that any NETCONF client reaches it.

Exit status: 0 if all went well, 1 if something failed, 2 for wrong usage.`,
		Example: `  # See it work on this machine, with simulated devices:
  callhome-gateway demo

  # Run it:
  callhome-gateway validate /etc/callhome-gateway/config.hcl
  callhome-gateway serve

  # Let a device in that has called for the first time:
  callhome-gateway device list
  callhome-gateway device approve SHA256:nThbg6kX --name edge-1`,
		Args:          subcommandRequired,
		RunE:          showHelp,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate(versionLine())
	root.AddCommand(newServe(), newDemo(), newValidate(), newFormat(), newHashPassword(), newVersion(), newStatus(), newReload(), newEvents(),
		newDevice(), newSession(), newUser(), newCallhomeUser(), newCallhomeServer(), newFailure(), newBackup(), newRestore())
	refuseUnknownShells(root)
	return root
}

// refuseUnknownShells mends cobra's completion command, which answers them
// with its help and success.
func refuseUnknownShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args, completion.RunE = subcommandRequired, showHelp
		completion.Example = `  callhome-gateway completion bash > /etc/bash_completion.d/callhome-gateway`
	}
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }
