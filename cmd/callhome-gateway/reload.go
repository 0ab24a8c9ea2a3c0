package main

import (
	"fmt"
	"io"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newReload() *cobra.Command {
	var gateway gatewayFlags
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running gateway read its configuration again",
		Long: `Has the gateway read its configuration file again, as SIGHUP does, and says what came
of it. A file with errors changes nothing: they are printed as "validate" prints
them. Of the connections and sessions only those end that would not be let in any
more as they were. What cannot change while the gateway runs is listed.`,
		Example: `  callhome-gateway validate && callhome-gateway reload`,
	}
	gateway.add(cmd.Flags())
	return showCommand(&gateway, cmd, (*control.Client).Reload, printReload)
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
