package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var gateway gatewayFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the running gateway",
		Long: `Shows whether the running gateway accepts calls and managers, how many devices
it has, and which logins have failed.`,
		Example: `  callhome-gateway status
  callhome-gateway status --json | jq .devices.connected`,
	}
	gateway.add(cmd.Flags())
	return showCommand(&gateway, cmd, (*control.Client).Status, printStatus)
}

func printStatus(w io.Writer, s control.Status) error {
	now := time.Now()
	t := newTable(w)
	row(t, "version", clean(s.Version))
	row(t, "process", fmt.Sprintf("%d, started %s", s.PID, ago(s.Started, now)))
	if s.Draining {
		row(t, "stopping", "nobody is let in any more")
	}
	row(t, "state", clean(s.StateDir))
	row(t, "last reload", reloadText(s.LastReload, now))
	row(t, "calls", acceptedText(s.CallhomeRunning))
	row(t, "call home", listenerText(s.Callhome))
	row(t, "call home (TLS)", listenerText(s.CallhomeTLS))
	for _, l := range s.Listeners {
		row(t, "call home "+clean(l.Name), listenerText(l.SSH))
		row(t, "call home "+clean(l.Name)+" (TLS)", listenerText(l.TLS))
	}
	row(t, "shared endpoint", listenerText(s.Gateway))
	row(t, "shared endpoint (TLS)", listenerText(s.GatewayTLS))
	row(t, "devices", fmt.Sprintf("%d connected, %d away, %d pending", s.Devices.Connected, s.Devices.Away, s.Devices.Pending))
	row(t, "calls in progress", fmt.Sprint(s.Calls))
	row(t, "manager sessions", fmt.Sprint(s.Managers))
	row(t, "since the start", totalsText(s.Totals))
	row(t, "audit", auditText(s.Audit))
	row(t, "goroutines", fmt.Sprint(s.Goroutines))
	row(t, "open files", number(s.OpenFiles))
	if err := t.Flush(); err != nil {
		return err
	}
	if s.Devices.Pending > 0 {
		fmt.Fprintln(w, "\nSee who waits for approval with \"callhome-gateway device list\".")
	}
	if err := printFailures(w, s.Failures); err != nil {
		return err
	}
	return printAwaited(w, s.Awaited)
}

func reloadText(r *control.Reload, now time.Time) string {
	switch {
	case r == nil:
		return "never"
	case r.OK:
		return ago(r.Time, now)
	}
	return "failed " + ago(r.Time, now) + ": " + clean(r.Error)
}

func acceptedText(running bool) string {
	if running {
		return "accepted"
	}
	return "not accepted"
}

func totalsText(t control.Totals) string {
	return fmt.Sprintf("%d manager sessions, %d refused logins, %d requests, %d of them refused", t.Sessions, t.LoginsRefused, t.Requests, t.RequestsRefused)
}

func auditText(a *control.Audit) string {
	switch {
	case a == nil:
		return "none"
	case a.Problem != "":
		return "cannot be written to " + clean(a.File) + ": " + clean(a.Problem)
	}
	return "in " + clean(a.File)
}

func listenerText(l control.Listener) string {
	switch {
	case !l.Enabled:
		return "disabled"
	case l.Listening:
		return "listening on " + clean(l.Address)
	}
	return "not listening"
}

func printFailures(w io.Writer, failures []control.Failure) error {
	if len(failures) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nRefused logins, not tried again until they expire:")
	return failureTable(w, failures)
}

func printAwaited(w io.Writer, awaited []control.Awaited) error {
	if len(awaited) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nUsernames that the next calls are met with:")
	t := newTable(w)
	row(t, "ADDRESS", "USERNAMES")
	for _, a := range awaited {
		row(t, clean(a.Address), clean(strings.Join(a.Usernames, ", ")))
	}
	return t.Flush()
}
