package main

import (
	"context"
	"io"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

// showCommand completes a command without arguments that shows what the gateway
// answers.
func showCommand[T any](gateway *gatewayFlags, cmd *cobra.Command, ask func(*control.Client, context.Context) (T, error), print func(io.Writer, T) error) *cobra.Command {
	cmd.Args = noArguments
	return showCommandOf(gateway, cmd, func(cmd *cobra.Command, client *control.Client, _ []string) (T, error) {
		return ask(client, cmd.Context())
	}, print)
}

// showCommandOf completes a command that shows what the gateway answers about
// its arguments: printed for people, or as JSON.
func showCommandOf[T any](gateway *gatewayFlags, cmd *cobra.Command, ask func(*cobra.Command, *control.Client, []string) (T, error), print func(io.Writer, T) error) *cobra.Command {
	var asJSON bool
	cmd.RunE = gateway.action(func(cmd *cobra.Command, client *control.Client, args []string) error {
		answer, err := ask(cmd, client, args)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(cmd.OutOrStdout(), answer)
		}
		return print(cmd.OutOrStdout(), answer)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}
