package main

import (
	"fmt"
	"io"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newDeviceRename(gateway *gatewayFlags) *cobra.Command {
	var from string
	return showCommandOf(gateway, &cobra.Command{
		Use:   "rename DEVICE NAME",
		Short: "Give a device another name",
		Long: `Gives a device that was approved, trusted on first use or saved another name. It
keeps its port. Its connection ends, and it is let in under the new name when it
calls again. A device of the configuration file is renamed there.`,
		Example:           "  callhome-gateway device rename dev-9f86d081884c7d65 edge-1",
		Args:              namesRequired("DEVICE", "NAME"),
		ValidArgsFunction: firstOnly(completeDevices(gateway)),
	}, func(cmd *cobra.Command, client *control.Client, args []string) ([]control.Device, error) {
		from = args[0]
		d, err := client.Rename(cmd.Context(), control.RenameRequest{Device: from, Name: args[1]})
		return []control.Device{d}, err
	}, func(w io.Writer, renamed []control.Device) error {
		_, err := fmt.Fprintf(w, "renamed %s as %s: it attaches when it calls again\n", clean(from), clean(renamed[0].Name))
		return err
	})
}
