package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"callhome-gateway/internal/control"
)

func printDevices(w io.Writer, devices []control.Device) error {
	now := time.Now()
	var known, pending []control.Device
	for _, d := range devices {
		if d.State == control.StatePending {
			pending = append(pending, d)
		} else {
			known = append(known, d)
		}
	}
	if err := printKnown(w, known, now); err != nil {
		return err
	}
	return printPending(w, pending, now)
}

func printKnown(w io.Writer, devices []control.Device, now time.Time) error {
	if len(devices) == 0 {
		_, err := fmt.Fprintln(w, "There are no devices yet.")
		return err
	}
	t := newTable(w)
	row(t, "NAME", "STATE", "TRANSPORT", "ADDRESS", "PORT", "TLS PORT", "MANAGERS", "SEEN", "LAST CALL")
	for _, d := range devices {
		row(t, clean(d.Name), stateText(d), clean(d.Transport), clean(d.Address), number(d.Port), number(d.TLSPort),
			fmt.Sprint(d.Managers), seenText(d, now), outcomeText(d.LastOutcome, now))
	}
	return t.Flush()
}

func stateText(d control.Device) string {
	if d.Busy {
		return d.State + " (busy)"
	}
	return d.State
}

func seenText(d control.Device, now time.Time) string {
	if d.State == control.StateConnected {
		return "now"
	}
	return ago(d.LastSeen, now)
}

func outcomeText(o *control.Outcome, now time.Time) string {
	if o == nil {
		return "never"
	}
	return clean(o.Reason) + ", " + ago(o.Time, now)
}

func printPending(w io.Writer, devices []control.Device, now time.Time) error {
	if len(devices) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nThese have called and wait for approval:")
	t := newTable(w)
	row(t, "FINGERPRINT", "TYPE", "ADDRESS", "CALLS", "LAST CALL", "SESSION ENTRY")
	for _, d := range devices {
		row(t, clean(d.Identity), clean(d.KeyType), clean(d.Address), fmt.Sprint(d.Calls), ago(d.LastSeen, now), clean(d.Name))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printCertificates(w, devices)
	_, err := fmt.Fprintln(w, `
Compare the fingerprint with the one that the device itself shows, then let it in:
  callhome-gateway device approve FINGERPRINT --name NAME`)
	return err
}

// printCertificates tells what pending devices say of themselves: nobody has
// vouched for it.
func printCertificates(w io.Writer, devices []control.Device) {
	for _, d := range devices {
		if d.Certificate != "" {
			fmt.Fprintf(w, "\n%s\n  shows a certificate of %s\n", clean(d.Identity), clean(d.Certificate))
		}
	}
}

func printEach(w io.Writer, devices []control.Device) error {
	for i, d := range devices {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := printDevice(w, d, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func printDevice(w io.Writer, d control.Device, now time.Time) error {
	t := newTable(w)
	row(t, "name", clean(d.Name))
	row(t, "state", stateText(d))
	row(t, "address", clean(d.Address))
	row(t, "transport", clean(d.Transport))
	row(t, "identity", clean(d.Identity))
	row(t, "key type", clean(d.KeyType))
	if d.Certificate != "" {
		row(t, "certificate", clean(d.Certificate))
	}
	if len(d.CertificateNames) > 0 {
		row(t, "expected names", clean(strings.Join(d.CertificateNames, ", ")))
	}
	if len(d.HostPrincipals) > 0 {
		row(t, "expected principals", clean(strings.Join(d.HostPrincipals, ", ")))
	}
	if d.DeviceID != "" {
		row(t, "device id", clean(d.DeviceID))
	}
	if d.Listener != "" {
		row(t, "listener", clean(d.Listener))
	}
	if d.Algorithms != nil {
		printAlgorithms(t, d.Algorithms)
	}
	row(t, "user entry", clean(d.User))
	row(t, "port", number(d.Port))
	row(t, "tls port", number(d.TLSPort))
	row(t, "sessions", clean(d.Sessions))
	row(t, "managers", fmt.Sprint(d.Managers))
	row(t, sinceLabel(d), timeText(d.Since, now))
	row(t, "last seen", timeText(d.LastSeen, now))
	if d.State == control.StatePending {
		row(t, "calls", fmt.Sprint(d.Calls))
	}
	row(t, "last call", outcomeText(d.LastOutcome, now))
	if o := d.LastOutcome; o != nil && o.Detail != "" {
		row(t, "because", clean(o.Detail))
	}
	row(t, "session-id", number(d.SessionID))
	if err := t.Flush(); err != nil {
		return err
	}
	return printCapabilities(w, d.Capabilities)
}

func printAlgorithms(t *tabwriter.Writer, a *control.Algorithms) {
	if a.Version != "" {
		row(t, "version", clean(a.Version))
	}
	row(t, "key exchange", clean(a.KeyExchange))
	if a.HostKey != "" {
		row(t, "signed with", clean(a.HostKey))
	}
	if a.Sent == a.Received {
		row(t, "protected by", protectionText(a.Sent))
		return
	}
	row(t, "sent under", protectionText(a.Sent))
	row(t, "received under", protectionText(a.Received))
}

func protectionText(p control.Protection) string {
	if p.MAC == "" {
		return clean(p.Cipher)
	}
	return clean(p.Cipher) + ", " + clean(p.MAC)
}

func sinceLabel(d control.Device) string {
	if d.State == control.StatePending {
		return "first call"
	}
	return "connected"
}

func timeText(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime) + " (" + ago(t, now) + ")"
}

func printCapabilities(w io.Writer, capabilities []string) error {
	if len(capabilities) == 0 {
		return nil
	}
	fmt.Fprintf(w, "capabilities (%d)\n", len(capabilities))
	for _, c := range capabilities {
		if _, err := fmt.Fprintf(w, "  %s\n", clean(c)); err != nil {
			return err
		}
	}
	return nil
}

func printApproved(w io.Writer, d control.Device) error {
	next := ": it is let in when it calls again"
	if d.State == control.StateConnected {
		next = ""
	}
	_, err := fmt.Fprintf(w, "approved %s as %s%s\n", clean(d.Identity), clean(d.Name), next)
	return err
}
