package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"
)

const (
	maxArguments = math.MaxInt
	// maxTypos is how far a word may be from a command to be taken for it.
	maxTypos = 2
)

var noArguments = arguments(0, 0, "")

// arguments checks their number, and says what is missing by its name in the
// usage line.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageErrorf("%s is missing", what)
		case len(args) > most:
			return usageErrorf("%q is one argument too many", args[most])
		}
		return nil
	}
}

// namesRequired checks that there is an argument for each name in the usage line.
func namesRequired(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usageErrorf("%s is missing", names[len(args)])
		}
		return arguments(len(names), len(names), "")(cmd, args)
	}
}

// subcommandRequired refuses what is no subcommand, with the nearest that is one.
func subcommandRequired(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	message := fmt.Sprintf("there is no command %q", strings.TrimPrefix(cmd.CommandPath()+" "+args[0], programName+" "))
	cmd.SuggestionsMinimumDistance = maxTypos
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		message += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageErrorf("%s", message)
}
