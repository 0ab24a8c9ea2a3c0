package main

import (
	"errors"
	"fmt"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

// forEach does the same to everything that was named, and goes on after one
// for which it fails.
func forEach(gateway *gatewayFlags, do func(*cobra.Command, *control.Client, string) (done string, err error)) func(*cobra.Command, []string) error {
	return gateway.action(func(cmd *cobra.Command, client *control.Client, args []string) error {
		var errs []error
		for _, name := range args {
			done, err := do(cmd, client, name)
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
			}
			errs = append(errs, err)
			if errors.Is(err, control.ErrNotRunning) {
				break // the others would say the same
			}
		}
		return errors.Join(errs...)
	})
}
