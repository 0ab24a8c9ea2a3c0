package main

import (
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/daemon"

	"github.com/spf13/cobra"
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See it work on this machine, with simulated devices",
		Long: `Starts a gateway in a temporary directory, and simulated devices that call it
over loopback, and prints the commands that reach them. Nothing else on the
machine is touched, and nothing is left when you end it with Ctrl-C.`,
		Example: "  callhome-gateway demo",
		Args:    noArguments,
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			log := newLogger(config.Log{Level: "error", Format: "text"}, cmd.ErrOrStderr())
			return daemon.Demo(ctx, cmd.OutOrStdout(), version(), log)
		}),
	}
}
