package main

import (
	"fmt"
	"io"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newReload() *cobra.Command {
	var gateway gatewayFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running gateway read its configuration again",
		Long: `Has the gateway read its configuration file again, as SIGHUP does, and says what came
of it. A file with errors changes nothing: they are printed as "validate" prints
them. Of the connections and sessions only those end that would not be let in any
more as they were. What cannot change while the gateway runs is listed.`,
		Example: `  callhome-gateway validate && callhome-gateway reload`,
		Args:    noArguments,
	}
	cmd.RunE = gateway.action(func(cmd *cobra.Command, client *control.Client, _ []string) error {
		r, err := client.Reload(cmd.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), r)
		}
		return printReload(cmd.OutOrStdout(), r)
	})
	gateway.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func printReload(w io.Writer, r control.ReloadResult) error {
	_, err := fmt.Fprintf(w, "the configuration was read again: %s and %s ended\n", count(r.Links, "link"), count(r.Sessions, "manager session"))
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", clean(warning))
	}
	for _, option := range r.NeedRestart {
		_, err = fmt.Fprintf(w, "needs a restart: %s\n", clean(option))
	}
	return err
}
