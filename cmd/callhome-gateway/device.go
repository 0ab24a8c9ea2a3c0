package main

import (
	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newDevice() *cobra.Command {
	return newGroup(&cobra.Command{
		Use:     "device",
		Aliases: []string{"devices"},
		Short:   "List, approve, rename, trace, forget and disconnect devices",
		Long: `Shows the devices of the running gateway, and lets those in that wait for
approval. DEVICE is a name; for a pending device it is its fingerprint, or at
least the first 8 characters of that. The fingerprint of a device that calls over
TLS is that of its certificate, in hex digits: at least 12 of them are needed, and
colons and upper case do not matter.`,
		Example: `  callhome-gateway device list
  callhome-gateway device approve SHA256:nThbg6kX --name edge-1
  callhome-gateway device show edge-1`,
	}, newDeviceList, newDeviceShow, newDeviceApprove, newDeviceReject, newDeviceRename,
		newDeviceForget, newDeviceDisconnect, newDeviceTrace)
}

func newDeviceList(gateway *gatewayFlags) *cobra.Command {
	return showCommand(gateway, &cobra.Command{
		Use:   "list",
		Short: "List all devices, those that wait for approval too",
		Long: `Lists the devices that are connected, those that are away, and those that have
called and wait for approval. Compare a pending device's fingerprint with the one
that the device itself shows before you approve it.`,
		Example: `  callhome-gateway device list
  callhome-gateway device list --json | jq -r '.[] | select(.state == "away") | .name'`,
	}, (*control.Client).Devices, printDevices)
}

func newDeviceShow(gateway *gatewayFlags) *cobra.Command {
	return showCommandOf(gateway, &cobra.Command{
		Use:   "show DEVICE...",
		Short: "Show all that is known of devices",
		Long: `Shows all that is known of each device: where it is connected from, its identity,
its port, how its last call ended and why, and its capabilities.`,
		Example: `  callhome-gateway device show edge-1
  callhome-gateway device show edge-1 --json | jq -r '.[].capabilities[]'`,
		Args:              arguments(1, maxArguments, "DEVICE"),
		ValidArgsFunction: completeDevices(gateway),
	}, func(cmd *cobra.Command, client *control.Client, args []string) (devices []control.Device, err error) {
		for _, name := range args {
			d, err := client.Device(cmd.Context(), name)
			if err != nil {
				return nil, err
			}
			devices = append(devices, d)
		}
		return devices, nil
	}, printEach)
}

func newDeviceReject(gateway *gatewayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reject DEVICE...",
		Short: "Take devices off the list of those that wait for approval",
		Long: `Removes pending devices from the list. One that calls again is listed again:
to keep it away, bar its address before the gateway.`,
		Example:           "  callhome-gateway device reject SHA256:nThbg6kX",
		Args:              arguments(1, maxArguments, "DEVICE"),
		ValidArgsFunction: completePending(gateway),
	}
	cmd.RunE = forEach(gateway, func(cmd *cobra.Command, client *control.Client, device string) (string, error) {
		d, err := client.Reject(cmd.Context(), device)
		return "rejected " + clean(d.Identity), err
	})
	return cmd
}

func newDeviceForget(gateway *gatewayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget DEVICE...",
		Short: "Remove what is remembered of devices",
		Long: `Ends the link of each device and removes its approval, so that it must be approved
anew when it calls again. Its port is kept from other devices while there are
free ones. What the configuration file says about it still holds.`,
		Example:           "  callhome-gateway device forget edge-1",
		Args:              arguments(1, maxArguments, "DEVICE"),
		ValidArgsFunction: completeDevices(gateway),
	}
	cmd.RunE = forEach(gateway, func(cmd *cobra.Command, client *control.Client, device string) (string, error) {
		return "forgot " + clean(device), client.Forget(cmd.Context(), device)
	})
	return cmd
}

func newDeviceDisconnect(gateway *gatewayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disconnect DEVICE...",
		Short: "End the links of devices",
		Long: `Ends the link of each device, and the manager sessions with it. The device may
call again at once, and is let in as before.`,
		Example:           "  callhome-gateway device disconnect edge-1",
		Args:              arguments(1, maxArguments, "DEVICE"),
		ValidArgsFunction: completeDevices(gateway),
	}
	cmd.RunE = forEach(gateway, func(cmd *cobra.Command, client *control.Client, device string) (string, error) {
		return "disconnected " + clean(device), client.Disconnect(cmd.Context(), device)
	})
	return cmd
}
