package main

import (
	"fmt"
	"io"
	"time"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newFailure() *cobra.Command {
	return newGroup(&cobra.Command{
		Use:     "failure",
		Aliases: []string{"failures"},
		Short:   "List and clear the logins that devices have refused",
		Long: `A user entry that a device has refused is not tried on that device again for a while
(callhome.failure_ttl). Clear the failure when the device or the entry was put
right: the entry is tried at the next call.`,
		Example: `  callhome-gateway failure list
  callhome-gateway failure clear --device edge-1`,
	}, newFailureList, newFailureClear)
}

func newFailureList(gateway *gatewayFlags) *cobra.Command {
	return showCommand(gateway, &cobra.Command{
		Use:   "list",
		Short: "List the refused logins",
		Long:  `Lists which user entry was refused by which device, and when it may be tried again.`,
		Example: `  callhome-gateway failure list
  callhome-gateway failure list --json | jq -r '.[].device'`,
	}, (*control.Client).Failures, func(w io.Writer, failures []control.Failure) error {
		if len(failures) == 0 {
			_, err := fmt.Fprintln(w, "No refused login is remembered.")
			return err
		}
		return failureTable(w, failures)
	})
}

func newFailureClear(gateway *gatewayFlags) *cobra.Command {
	var f control.FailureFilter
	var all bool
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Forget refused logins",
		Long: `Forgets refused logins: those of a device, of a user entry, of both, or all of them.
The entries are tried again when the devices call. A device that is kept out because
it flaps, or has broken the SSH protocol, is let in again as well, unless --user is
given.`,
		Example: `  callhome-gateway failure clear --device edge-1
  callhome-gateway failure clear --user fleet
  callhome-gateway failure clear --all`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) error {
			if some := f != (control.FailureFilter{}); some == all {
				return usageErrorf("give --device, --user or both; or --all to forget every refused login")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.Device, "device", "", "those of this `DEVICE`: a name or a fingerprint")
	cmd.Flags().StringVar(&f.User, "user", "", "those of this user `ENTRY`")
	cmd.Flags().BoolVar(&all, "all", false, "every one")
	return showCommandOf(gateway, cmd, func(cmd *cobra.Command, client *control.Client, _ []string) ([]cleared, error) {
		n, err := client.ClearFailures(cmd.Context(), f)
		return []cleared{{n}}, err
	}, func(w io.Writer, all []cleared) error {
		_, err := fmt.Fprintf(w, "forgot %s\n", count(all[0].Cleared, "refused login"))
		return err
	})
}

// cleared is what "failure clear" tells programs.
type cleared struct {
	Cleared int `json:"cleared"`
}

func failureTable(w io.Writer, failures []control.Failure) error {
	now := time.Now()
	t := newTable(w)
	row(t, "DEVICE", "USER", "FAILED", "EXPIRES", "IDENTITY")
	for _, f := range failures {
		expires := "never"
		if !f.Expires.IsZero() {
			expires = "in " + max(f.Expires.Sub(now), 0).Round(time.Second).String()
		}
		row(t, clean(f.Device), clean(f.User), ago(f.Since, now), expires, clean(f.Identity))
	}
	return t.Flush()
}
