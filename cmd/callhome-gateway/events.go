package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newEvents() *cobra.Command {
	var gateway gatewayFlags
	var follow, asJSON bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what has happened, and what happens",
		Long: `Shows the latest events: devices that came, went or were rejected, sessions and
refused logins of managers, what operators did, and reloads. A thousand are kept
since the gateway was started, and as many of managers. What comes again and again
is shown now and then, with how often it came; all is in the log.

With --follow new events are shown as they come, until Ctrl-C or until the gateway
stops. With --json the events are an array of objects; with --follow as well, each
is an object on a line of its own.`,
		Example: `  callhome-gateway events
  callhome-gateway events --follow
  callhome-gateway events --follow --json | jq 'select(.kind == "away")'`,
		Args: noArguments,
	}
	cmd.RunE = gateway.action(func(cmd *cobra.Command, client *control.Client, _ []string) error {
		switch w := cmd.OutOrStdout(); {
		case follow && asJSON:
			lines := json.NewEncoder(w)
			lines.SetEscapeHTML(false)
			return followEvents(cmd, client, func(e control.Event) error { return lines.Encode(e) })
		case follow:
			return followEvents(cmd, client, func(e control.Event) error { return printEvent(w, e) })
		default:
			return showEvents(cmd, client, asJSON)
		}
	})
	gateway.add(cmd.Flags())
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new events as they come")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array of objects for programs; with --follow, an object a line")
	return cmd
}

func followEvents(cmd *cobra.Command, client *control.Client, tell func(control.Event) error) error {
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	return untilEnded(ctx, client.Follow(ctx, tell))
}

func showEvents(cmd *cobra.Command, client *control.Client, asJSON bool) error {
	list, err := client.Events(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), list)
	}
	for _, e := range list {
		if err := printEvent(cmd.OutOrStdout(), e); err != nil {
			return err
		}
	}
	return nil
}

// printEvent prints a line with columns of a fixed width: nobody knows what is
// to come.
func printEvent(w io.Writer, e control.Event) error {
	who := clean(e.Device)
	if e.Manager != "" {
		who = clean(e.Manager) + " on " + who
	}
	what := clean(e.Detail)
	if e.Reason != "" {
		what = clean(e.Reason) + ": " + what
	}
	if e.Unsaid > 0 {
		what += fmt.Sprintf(" (and %d more like it before)", e.Unsaid)
	}
	_, err := fmt.Fprintf(w, "%s  %-13s  %-20s  %-21s  %s\n", e.Time.Local().Format(time.DateTime), clean(e.Kind), orDash(who), orDash(clean(e.Address)), what)
	return err
}
