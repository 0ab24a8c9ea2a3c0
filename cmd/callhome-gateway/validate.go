package main

import (
	"fmt"
	"io"
	"os"

	"callhome-gateway/internal/config"

	"github.com/spf13/cobra"
)

func newValidate() *cobra.Command {
	var o config.Options
	var path string
	cmd := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a configuration file",
		Long: `Checks the configuration file, ` + defaultConfig + ` if none is
given, and prints every problem with its place and what to do about it. Nothing
is started and nothing is changed. The exit status is 1 if there are errors;
warnings alone do not count.

With --offline, environment variables that are not set and files that are
missing are warnings: use it to check a file on another machine than the one
that it is for.`,
		Example: `  callhome-gateway validate
  callhome-gateway validate --offline config.hcl.example`,
		Args: arguments(0, 1, "FILE"),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && cmd.Flags().Changed("config") {
				return usageErrorf("both --config and FILE are given: leave one out")
			}
			if len(args) == 1 {
				path = args[0]
			}
			_, problems := config.Load(path, o)
			if err := report(cmd.ErrOrStderr(), problems); err != nil {
				return err
			}
			if problems.HasErrors() {
				return fmt.Errorf("%s has errors", path)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is valid\n", path)
			return err
		}),
	}
	cmd.Flags().StringVar(&path, "config", defaultConfig, "the configuration `FILE`, as with the other commands")
	cmd.Flags().BoolVar(&o.Offline, "offline", false, "unset environment variables and missing files are only warnings")
	return cmd
}

// report prints the problems, as the terminal allows.
func report(w io.Writer, problems *config.Problems) error {
	terminal := isTerminal(w)
	color := terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return problems.Print(w, color, terminalWidth(w))
}

// loadAgain returns how a gateway that runs reads its configuration.
func loadAgain(path string, flags config.Flags) func([]config.Saved) (*config.Config, []string, error) {
	return func(saved []config.Saved) (*config.Config, []string, error) {
		cfg, problems := config.Load(path, config.Options{Flags: flags, Saved: saved})
		if problems.HasErrors() {
			return nil, nil, problems
		}
		return cfg, problems.Warnings(), nil
	}
}

// load reads the configuration that a gateway is to run with.
func load(w io.Writer, path string, flags config.Flags) (*config.Config, error) {
	cfg, problems := config.Load(path, config.Options{Flags: flags})
	if err := report(w, problems); err != nil {
		return nil, err
	}
	switch {
	case problems.InFlags():
		return nil, usageErrorf("the flags do not go with %s: nothing was started", path)
	case problems.HasErrors():
		return nil, fmt.Errorf("%s has errors: nothing was started", path)
	}
	return cfg, nil
}
