package main

import (
	"fmt"
	"io"
	"os"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

// maxList bounds a list of devices, in bytes.
const maxList = 32 << 20

func newDeviceApprove(gateway *gatewayFlags) *cobra.Command {
	var r control.ApproveRequest
	var list string
	cmd := &cobra.Command{
		Use:   "approve DEVICE",
		Short: "Let a device in that waits for approval",
		Long: `Approves the identity of a device: from its next call on the gateway logs in to it,
and managers reach it under its name. A device that matches a session entry by
its address takes that entry's name; for others, give one with --name.

A name that belongs to another identity stays with it, unless --replace is given:
use that when a device has got a new host key or certificate, or was exchanged. An approved
device, or one that was trusted on first use, gets another name or user when it
is approved again.

With --file many devices are approved before their first call, all of them or none.
Each line of the file is a fingerprint, as ssh-keygen -l or openssl x509 -fingerprint
-sha256 prints it, or a public host key; then the name of the device and, if it is
not to be logged in to with the callhome users, a user entry. What follows a # means
nothing.`,
		Example: `  callhome-gateway device approve SHA256:nThbg6kX --name edge-1
  callhome-gateway device approve SHA256:nThbg6kX --name edge-1 --user fleet --replace
  callhome-gateway device approve 9F:86:D0:81:88:4C --name edge-2
  callhome-gateway device approve --file fleet.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("file") {
				return arguments(1, 1, "DEVICE")(cmd, args)
			}
			if list == "" || len(args) > 0 || r != (control.ApproveRequest{}) {
				return usageErrorf("--file FILE stands alone: the file has the fingerprints, names and users")
			}
			return nil
		},
		ValidArgsFunction: completePending(gateway),
	}
	cmd.Flags().StringVar(&r.Name, "name", "", "the device's `NAME`: letters, digits and hyphens")
	cmd.Flags().StringVar(&r.User, "user", "", "log in to it with this user `ENTRY` of the configuration (default: the callhome users)")
	cmd.Flags().BoolVar(&r.Replace, "replace", false, "take the name from the identity that has it")
	cmd.Flags().StringVar(&list, "file", "", "approve the devices that are listed in this `FILE`; - for standard input")
	return showCommandOf(gateway, cmd, func(cmd *cobra.Command, client *control.Client, args []string) ([]control.Device, error) {
		if list != "" {
			return approveList(cmd, client, list)
		}
		r.Device = args[0]
		d, err := client.Approve(cmd.Context(), r)
		return []control.Device{d}, err
	}, func(w io.Writer, devices []control.Device) error {
		if list == "" {
			return printApproved(w, devices[0])
		}
		_, err := fmt.Fprintf(w, "approved %s: each is let in when it calls\n", count(len(devices), "device"))
		return err
	})
}

func approveList(cmd *cobra.Command, client *control.Client, path string) ([]control.Device, error) {
	list, err := readList(cmd.InOrStdin(), path)
	if err != nil {
		return nil, err
	}
	devices, err := client.ApproveList(cmd.Context(), list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return devices, nil
}

// readList reads a list of devices, of standard input for "-".
func readList(in io.Reader, path string) (string, error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("reading the list: %w", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxList+1))
	if err != nil {
		return "", fmt.Errorf("reading the list: %w", err)
	}
	if len(text) > maxList {
		return "", fmt.Errorf("the list is longer than %d MiB: split it", maxList>>20)
	}
	return string(text), nil
}
