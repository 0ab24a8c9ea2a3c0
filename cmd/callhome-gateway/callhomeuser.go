package main

import (
	"fmt"
	"io"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newCallhomeUser() *cobra.Command {
	return newGroup(&cobra.Command{
		Use:     "callhome-user",
		Aliases: []string{"callhome-users"},
		Short:   "List, add and remove the user entries that are tried for all devices",
		Long: `The callhome-users are user entries. Devices whose session entry or approval names
no user are logged in to with the first of them that has not failed.`,
		Example: `  callhome-gateway callhome-user list
  callhome-gateway callhome-user add fleet`,
	}, newCallhomeUserList, newCallhomeUserAdd, newCallhomeUserRemove)
}

func newCallhomeUserList(gateway *gatewayFlags) *cobra.Command {
	return showCommand(gateway, &cobra.Command{
		Use:   "list",
		Short: "List the callhome-users in their order",
		Long: `Lists the callhome-users in the order in which they are tried, and where each comes
from: the configuration file, the flags of serve, or "callhome-user add".`,
		Example: `  callhome-gateway callhome-user list
  callhome-gateway callhome-user list --json | jq -r '.[].name'`,
	}, (*control.Client).CallhomeUsers, printCallhomeUsers)
}

func printCallhomeUsers(w io.Writer, users []control.CallhomeUser) error {
	if len(users) == 0 {
		_, err := fmt.Fprintln(w, "There are no callhome-users.")
		return err
	}
	var left []problem
	t := newTable(w)
	row(t, "ORDER", "NAME", "USERNAME", "FROM", "SAVED")
	for _, u := range users {
		row(t, number(u.Order), clean(u.Name), clean(u.Username), clean(u.From), saved(u.Since))
		left = append(left, problem{u.Name, u.Problem})
	}
	return printProblems(w, t, left)
}

func newCallhomeUserAdd(gateway *gatewayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME...",
		Short: "Make user entries callhome-users",
		Long: `Makes user entries, of the configuration file or saved ones, the last of the
callhome-users. They stay so when the gateway is started again.`,
		Example:           "  callhome-gateway callhome-user add fleet old",
		Args:              arguments(1, maxArguments, "NAME"),
		ValidArgsFunction: complete(gateway, wordsOf((*control.Client).Users, func(u control.User) string { return u.Name })),
	}
	cmd.RunE = forEach(gateway, func(cmd *cobra.Command, client *control.Client, name string) (string, error) {
		return "added " + clean(name), client.AddCallhomeUser(cmd.Context(), name)
	})
	return cmd
}

func newCallhomeUserRemove(gateway *gatewayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME...",
		Short: "Take user entries off the callhome-users",
		Long: `Takes user entries that were added while the gateway ran off the callhome-users. The
entries themselves stay. What the configuration file or a flag names is removed there.`,
		Example:           "  callhome-gateway callhome-user remove old",
		Args:              arguments(1, maxArguments, "NAME"),
		ValidArgsFunction: complete(gateway, wordsOf((*control.Client).CallhomeUsers, func(u control.CallhomeUser) string { return ifSaved(u.Name, u.From) })),
	}
	cmd.RunE = forEach(gateway, func(cmd *cobra.Command, client *control.Client, name string) (string, error) {
		return "removed " + clean(name), client.RemoveCallhomeUser(cmd.Context(), name)
	})
	return cmd
}

// ifSaved returns the name of what a command can remove.
func ifSaved(name, from string) string {
	if from != control.FromSaved {
		return ""
	}
	return name
}
