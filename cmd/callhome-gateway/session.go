package main

import (
	"fmt"
	"io"
	"strings"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newSession() *cobra.Command {
	return newGroup(&cobra.Command{
		Use:     "session",
		Aliases: []string{"sessions"},
		Short:   "List, save and remove session entries",
		Long: `A session entry names a device and says how it is told apart, which user it gets and
which port. Those of the configuration file are listed, and a connected device
without one can be saved as one. Where both have one of a name, that of the file
counts.`,
		Example: `  callhome-gateway session list
  callhome-gateway session save dev-9f86d081884c7d65 --name edge-1
  callhome-gateway session save edge-1 --hcl >> /etc/callhome-gateway/config.hcl`,
	}, newSessionList, newSessionSave, newSessionRemove)
}

func newSessionList(gateway *gatewayFlags) *cobra.Command {
	return showCommand(gateway, &cobra.Command{
		Use:   "list",
		Short: "List the session entries",
		Long:  `Lists the session entries, the state of their devices, and where each comes from.`,
		Example: `  callhome-gateway session list
  callhome-gateway session list --json | jq -r '.[] | select(.from == "saved") | .name'`,
	}, (*control.Client).Sessions, printSessions)
}

func printSessions(w io.Writer, sessions []control.SessionEntry) error {
	if len(sessions) == 0 {
		_, err := fmt.Fprintln(w, "There are no session entries.")
		return err
	}
	var left []problem
	t := newTable(w)
	row(t, "NAME", "STATE", "ADDRESS", "TRANSPORT", "USER", "PORT", "TLS PORT", "FROM", "SAVED", "IDENTITIES")
	for _, s := range sessions {
		row(t, clean(s.Name), clean(s.State), clean(s.Address), clean(s.Transport), clean(s.User), number(s.Port), number(s.TLSPort),
			clean(s.From), saved(s.Since), clean(strings.Join(s.Identities, ", ")))
		left = append(left, problem{s.Name, s.Problem})
	}
	return printProblems(w, t, left)
}

func newSessionSave(gateway *gatewayFlags) *cobra.Command {
	var r control.SaveSessionRequest
	cmd := &cobra.Command{
		Use:   "save DEVICE",
		Short: "Make a session entry of a connected device",
		Long: `Makes a session entry of a connected device that has none, with its address, its
identity, its user entry and its port. The entry stays when the gateway is started
again. The device stays connected, unless --name gives it another name.

With --hcl nothing is saved: the block is printed as it would stand in the
configuration file.`,
		Example: `  callhome-gateway session save dev-9f86d081884c7d65 --name edge-1
  callhome-gateway session save edge-1 --hcl`,
		Args:              arguments(1, 1, "DEVICE"),
		ValidArgsFunction: complete(gateway, devicesThat(connectedName)),
	}
	cmd.Flags().StringVar(&r.Name, "name", "", "what the device shall be called (default: what it is called)")
	cmd.Flags().BoolVar(&r.Show, "hcl", false, "print the block for the configuration file, and save nothing")
	return showCommandOf(gateway, cmd, func(cmd *cobra.Command, client *control.Client, args []string) ([]control.SessionEntry, error) {
		r.Device = args[0]
		s, err := client.SaveSession(cmd.Context(), r)
		return []control.SessionEntry{s}, err
	}, func(w io.Writer, saved []control.SessionEntry) (err error) {
		if r.Show {
			_, err = io.WriteString(w, saved[0].HCL)
		} else {
			_, err = fmt.Fprintf(w, "saved session %s\n", clean(saved[0].Name))
		}
		return err
	})
}

func connectedName(d control.Device) string {
	if d.State != control.StateConnected {
		return ""
	}
	return d.Name
}

func newSessionRemove(gateway *gatewayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME...",
		Short: "Remove saved session entries",
		Long: `Removes session entries that were saved. The connection of a device that nothing else
vouches for ends. What the configuration file has is removed there.`,
		Example:           "  callhome-gateway session remove edge-1",
		Args:              arguments(1, maxArguments, "NAME"),
		ValidArgsFunction: complete(gateway, wordsOf((*control.Client).Sessions, func(s control.SessionEntry) string { return ifSaved(s.Name, s.From) })),
	}
	cmd.RunE = forEach(gateway, func(cmd *cobra.Command, client *control.Client, name string) (string, error) {
		return "removed session " + clean(name), client.RemoveSession(cmd.Context(), name)
	})
	return cmd
}
