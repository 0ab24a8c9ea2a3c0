package main

import "github.com/spf13/cobra"

// newGroup returns a command that only has subcommands, all of which ask the
// running gateway.
func newGroup(cmd *cobra.Command, subcommands ...func(*gatewayFlags) *cobra.Command) *cobra.Command {
	var gateway gatewayFlags
	cmd.Args, cmd.RunE = subcommandRequired, showHelp
	gateway.add(cmd.PersistentFlags())
	for _, sub := range subcommands {
		cmd.AddCommand(sub(&gateway))
	}
	return cmd
}
