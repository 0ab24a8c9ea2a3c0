package gateway

import (
	"fmt"
	"io"
	"strings"
	"time"

	"callhome-gateway/callhome"
)

const (
	// maxShown bounds what is shown of a text that came from outside, in bytes.
	maxShown = 128
	// maxReason bounds a sentence of ours with such texts in it.
	maxReason = 1 << 10
)

// logged makes a text from outside fit to be a value in the log: hclog quotes
// what has to be quoted, but prints a value of several lines as several lines.
func logged(s string) string { return printable(s, maxShown) }

func printable(s string, most int) string {
	end := ""
	if len(s) > most {
		s, end = s[:most], "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s) + end
}

// say writes a sentence for the person who is there, if one is. The carriage
// return is for terminals in raw mode.
func say(w io.Writer, sentence string) {
	_, _ = io.WriteString(w, "callhome-gateway: "+sentence+"\r\n")
}

// whyAway says why there is no session with a device that is known.
func (d *device) whyAway(started, now time.Time) string {
	d.mu.Lock()
	since, left, failure := d.since, d.left, d.failure
	d.mu.Unlock()
	s := fmt.Sprintf("device %s is not connected: ", d.name)
	if since.IsZero() {
		s += fmt.Sprintf("it has not called since the gateway started %s ago", ago(now, started))
	} else {
		s += fmt.Sprintf("it went away %s ago, at %s", ago(now, since), since.UTC().Format(time.RFC3339))
	}
	if left != nil {
		s += " (" + oneLine(left.Error()) + ")"
	}
	if failure.Reason == "" {
		return s
	}
	return s + "; " + lastCall(failure, now)
}

func lastCall(o callhome.Outcome, now time.Time) string {
	s := fmt.Sprintf("its last call, %s ago, ended as %s", ago(now, o.Time), o.Reason)
	if o.Detail != "" {
		s += ": " + oneLine(o.Detail)
	}
	return s
}

func ago(now, then time.Time) time.Duration { return max(0, now.Sub(then)).Round(time.Second) }

// oneLine drops control characters: what is said must not drive a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// noShell says what the port is to a person who expected a shell.
func (c *sshConn) noShell() string {
	of := "devices that call home"
	if c.grant.device != "" {
		of = "device " + c.grant.device
	}
	return fmt.Sprintf("this port speaks NETCONF on behalf of %s and has no shell, no commands and no files: "+
		`ask for the subsystem "netconf" (ssh -s -p %d -l %s HOST netconf)`, of, c.e.port, c.login())
}

// login is what the manager logs in as on this port.
func (c *sshConn) login() string {
	switch {
	case c.e.device != "":
		return c.grant.manager
	case c.grant.device != "":
		return c.grant.manager + "@" + c.grant.device
	}
	return c.grant.manager + "@DEVICE"
}

// noDevice says how to name a device on the shared port.
func (c *managerConn) noDevice() string {
	return fmt.Sprintf("this port is shared by all devices: name one in the username, %s@DEVICE", c.grant.manager)
}

// String says what the endpoint is for.
func (e *endpoint) String() string { return configuredPort{e.transport, e.device, e.port}.String() }

func unknownDevice(name string) string {
	return fmt.Sprintf("no device of the name %q is known to this gateway", name)
}
