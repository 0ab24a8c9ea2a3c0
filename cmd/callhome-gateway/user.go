package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

// maxKeyFile bounds a private key, in bytes.
const maxKeyFile = 32 << 10

func newUser() *cobra.Command {
	return newGroup(&cobra.Command{
		Use:     "user",
		Aliases: []string{"users"},
		Short:   "List, save and remove the credentials to log in to devices with",
		Long: `A user entry is a username and what proves it to devices. Those of the configuration
file are listed, and others can be saved beside it: they stay when the gateway is
started again. Where both have one of a name, that of the file counts.`,
		Example: `  callhome-gateway user list
  callhome-gateway user save fleet --username netconf --callhome`,
	}, newUserList, newUserSave, newUserRemove)
}

func newUserList(gateway *gatewayFlags) *cobra.Command {
	return showCommand(gateway, &cobra.Command{
		Use:   "list",
		Short: "List the user entries",
		Long: `Lists the user entries: their usernames, how they log in, and their places among the
callhome-users. Passwords and keys are never shown.`,
		Example: `  callhome-gateway user list
  callhome-gateway user list --json | jq -r '.[] | select(.from == "saved") | .name'`,
	}, (*control.Client).Users, printUsers)
}

func printUsers(w io.Writer, users []control.User) error {
	if len(users) == 0 {
		_, err := fmt.Fprintln(w, "There are no user entries.")
		return err
	}
	var left []problem
	t := newTable(w)
	row(t, "NAME", "USERNAME", "LOGS IN BY", "CALLHOME-USER", "FROM", "SAVED")
	for _, u := range users {
		row(t, clean(u.Name), clean(u.Username), clean(strings.Join(u.Methods, ", ")), number(u.Callhome), clean(u.From), saved(u.Since))
		left = append(left, problem{u.Name, u.Problem})
	}
	return printProblems(w, t, left)
}

type userFlags struct {
	control.SaveUserRequest
	passwordStdin bool
	privateKey    string
}

func newUserSave(gateway *gatewayFlags) *cobra.Command {
	var f userFlags
	cmd := &cobra.Command{
		Use:   "save NAME",
		Short: "Save a user entry, or other credentials for a saved one",
		Long: `Saves a user entry, which stays when the gateway is started again. One that was
saved under the name is replaced: devices that are connected stay so unless the
username is another, and the new password or key is used at their next login.

Without --private-key a password is asked for, and not shown. --password-stdin
reads it from standard input: it is never given on the command line, where others
can see it.`,
		Example: `  callhome-gateway user save fleet --username netconf --callhome
  pass show netconf/fleet | callhome-gateway user save fleet --username netconf --password-stdin
  callhome-gateway user save fleet --username netconf --private-key keys/fleet`,
		Args:              arguments(1, 1, "NAME"),
		ValidArgsFunction: complete(gateway, savedUsers),
		PreRunE:           func(cmd *cobra.Command, _ []string) error { return f.check(cmd) },
	}
	cmd.Flags().StringVar(&f.Username, "username", "", "the `USERNAME` that devices know the gateway as")
	cmd.Flags().BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().StringVar(&f.privateKey, "private-key", "", "log in with the private key in this `FILE`, which is copied")
	cmd.Flags().BoolVar(&f.Callhome, "callhome", false, "make it the last callhome-user")
	return showCommandOf(gateway, cmd, func(cmd *cobra.Command, client *control.Client, args []string) ([]control.User, error) {
		f.Name = args[0]
		if err := f.read(cmd); err != nil {
			return nil, err
		}
		u, err := client.SaveUser(cmd.Context(), f.SaveUserRequest)
		return []control.User{u}, err
	}, printSavedUser)
}

var savedUsers = wordsOf((*control.Client).Users, func(u control.User) string { return ifSaved(u.Name, u.From) })

func (f *userFlags) check(cmd *cobra.Command) error {
	terminal, ok := cmd.InOrStdin().(*os.File)
	switch {
	case f.Username == "":
		return usageErrorf("--username is missing: what devices know the gateway as")
	case cmd.Flags().Changed("private-key") && f.privateKey == "":
		return usageErrorf("--private-key is empty: give a file, or leave the flag out")
	case f.wantsPassword() && !f.passwordStdin && (!ok || !isTerminal(terminal)):
		return usageErrorf("there is no terminal to ask for the password on: give it with --password-stdin, or a key with --private-key")
	}
	return nil
}

func (f *userFlags) wantsPassword() bool { return f.privateKey == "" || f.passwordStdin }

// read gets the secrets from where the flags say.
func (f *userFlags) read(cmd *cobra.Command) (err error) {
	if f.privateKey != "" {
		if f.PrivateKey, err = readKey(f.privateKey); err != nil {
			return err
		}
	}
	if !f.wantsPassword() {
		return nil
	}
	password, err := newPassword(cmd.Context(), cmd.InOrStdin(), cmd.ErrOrStderr())
	f.Password = string(password)
	return err
}

func readKey(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the private key: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return "", fmt.Errorf("reading the private key: %w", err)
	}
	if len(text) > maxKeyFile {
		return "", fmt.Errorf("%s is longer than %d bytes: it is no private key", path, maxKeyFile)
	}
	return string(text), nil
}

func printSavedUser(w io.Writer, users []control.User) error {
	u := users[0]
	place := ""
	if u.Callhome > 0 {
		place = fmt.Sprintf(", callhome-user %d", u.Callhome)
	}
	_, err := fmt.Fprintf(w, "saved user %s%s\n", clean(u.Name), place)
	return err
}

func newUserRemove(gateway *gatewayFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME...",
		Short: "Remove saved user entries",
		Long: `Removes user entries that were saved. One that a session entry or a callhome-user
refers to stays, and the error says which; what the configuration file has is
removed there.`,
		Example:           "  callhome-gateway user remove old",
		Args:              arguments(1, maxArguments, "NAME"),
		ValidArgsFunction: complete(gateway, savedUsers),
	}
	cmd.RunE = forEach(gateway, func(cmd *cobra.Command, client *control.Client, name string) (string, error) {
		return "removed user " + clean(name), client.RemoveUser(cmd.Context(), name)
	})
	return cmd
}
