package main

import (
	"fmt"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newDeviceRename(gateway *gatewayFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rename DEVICE NAME",
		Short: "Give a device another name",
		Long: `Gives a device that was approved, trusted on first use or saved another name. It
keeps its port. Its connection ends, and it is let in under the new name when it
calls again. A device of the configuration file is renamed there.`,
		Example:           "  callhome-gateway device rename dev-9f86d081884c7d65 edge-1",
		Args:              namesRequired("DEVICE", "NAME"),
		ValidArgsFunction: firstOnly(completeDevices(gateway)),
		RunE: gateway.action(func(cmd *cobra.Command, client *control.Client, args []string) error {
			d, err := client.Rename(cmd.Context(), control.RenameRequest{Device: args[0], Name: args[1]})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), []control.Device{d})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "renamed %s as %s: it attaches when it calls again\n", clean(args[0]), clean(d.Name))
			return err
		}),
	}
	addJSON(cmd, &asJSON)
	return cmd
}
