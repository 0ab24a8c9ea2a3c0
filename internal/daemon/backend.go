package daemon

import (
	"context"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/control"
)

// backend answers the control API.
type backend struct{ *daemon }

// Status implements control.Backend.
func (b backend) Status(context.Context) (control.Status, error) {
	s := control.Status{
		Version:     b.Version,
		PID:         os.Getpid(),
		Started:     b.started,
		StateDir:    b.settings().StateDir,
		Callhome:    b.listener("", callhome.SSH),
		CallhomeTLS: b.listener("", callhome.TLS),
		Listeners:   b.listeners(),
		Gateway:     b.sharedEndpoint(b.settings().Gateway.Port),
		GatewayTLS:  b.sharedEndpoint(b.settings().Gateway.TLSPort),
		Calls:       b.callhome.Calls(),
		Goroutines:  runtime.NumGoroutine(),
		OpenFiles:   openFiles(),
		Failures:    b.failures(),
		Awaited:     b.awaited(),

		CallhomeRunning: b.callhomeServer().Running,
		Draining:        b.ending.Load(),
		Totals:          b.record.totals.read(),
		Audit:           b.auditStatus(),
		LastReload:      b.events.lastReload(),
	}
	for _, d := range b.devices() {
		switch d.State {
		case control.StateConnected:
			s.Devices.Connected++
		case control.StateAway:
			s.Devices.Away++
		case control.StatePending:
			s.Devices.Pending++
		}
		s.Managers += d.Managers
	}
	return s, nil
}

func (b backend) auditStatus() *control.Audit {
	file := b.settings().Audit.File
	if file == "" {
		return nil
	}
	a := &control.Audit{File: file}
	if problem := b.audit.Problem(); problem != nil {
		a.Problem = problem.Error()
	}
	return a
}

func (b backend) awaited() []control.Awaited {
	list := []control.Awaited{}
	for addr, users := range b.callhome.Awaited() {
		a := control.Awaited{Address: addr.String()}
		for _, user := range users {
			a.Usernames = append(a.Usernames, user.Username)
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b control.Awaited) int { return strings.Compare(a.Address, b.Address) })
	return list
}

// listeners returns those besides the main one.
func (b backend) listeners() []control.CallListener {
	list := []control.CallListener{}
	for _, l := range b.settings().Callhome.Listeners {
		list = append(list, control.CallListener{Name: l.Name, SSH: b.listener(l.Name, callhome.SSH), TLS: b.listener(l.Name, callhome.TLS)})
	}
	return list
}

// listener returns the state of one listener for calls. It is enabled when it
// listens: nothing runs where something cannot be listened on.
func (b backend) listener(name string, t callhome.Transport) control.Listener {
	at := b.callAddress(name, t)
	return control.Listener{Enabled: at != "", Address: at, Listening: at != ""}
}

func (b backend) sharedEndpoint(port uint16) control.Listener {
	if port == 0 {
		return control.Listener{}
	}
	return control.Listener{Enabled: true, Listening: !b.ending.Load(), Address: net.JoinHostPort(b.settings().Gateway.Address.String(), strconv.Itoa(int(port)))}
}

// openFiles counts the file descriptors of the process, where /proc tells.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
