package harness

import (
	"fmt"
	"strings"
)

// Job is the main job of a manager on one device: read, lock, edit, commit
// where there is a candidate, unlock, be notified, close.
type Job struct {
	Device *Device
	// Value is set in the configuration. It must not be there before: an edit
	// that changes nothing is not notified.
	Value string
}

// Run does the job on a session and returns the first thing that went wrong.
func (j Job) Run(m Manager) error {
	for _, step := range []struct {
		name string
		do   func(Manager) error
	}{
		{"get-config", func(m Manager) error { return j.configShows(m, false) }},
		{"create-subscription", Manager.Subscribe},
		{"lock", func(m Manager) error { return m.Lock(j.Device.Target) }},
		{"edit-config", func(m Manager) error { return m.EditConfig(j.Device.Target, j.Device.Edit(j.Value)) }},
		{"commit", j.commit},
		{"unlock", func(m Manager) error { return m.Unlock(j.Device.Target) }},
		{"get-config after the edit", func(m Manager) error { return j.configShows(m, true) }},
		{"notification", j.notification},
		{"close-session", Manager.CloseSession},
	} {
		if err := step.do(m); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (j Job) commit(m Manager) error {
	if j.Device.Target != "candidate" {
		return nil
	}
	return m.Commit()
}

func (j Job) configShows(m Manager, want bool) error {
	reply, err := m.GetConfig("running")
	if err != nil {
		return err
	}
	if strings.Contains(reply, j.Value) != want {
		return fmt.Errorf("shows %q: %v, want %v: %.1000s", j.Value, !want, want, reply)
	}
	return nil
}

func (j Job) notification(m Manager) error {
	n, err := m.Notification()
	if err != nil {
		return err
	}
	if !strings.Contains(n, "eventTime") {
		return fmt.Errorf("without eventTime: %.1000s", n)
	}
	return nil
}

// YangcliScript is the same job for RunYangcli, and what its output must show.
func (j Job) YangcliScript(config string) (script, shows []string) {
	target := "target=" + j.Device.Target
	script = []string{"get-config source=running", "create-subscription", "lock " + target, "edit-config " + target + " " + config}
	if j.Device.Target == "candidate" {
		script = append(script, "commit")
	}
	script = append(script, "unlock "+target)
	script = append(script, "get-config source=running")
	// yangcli cannot wait: it asks until the notification must have come
	if strings.HasPrefix(j.Device.Kind, "libnetconf2") {
		script = append(script, "sleep milliseconds=300")
	}
	asks := 20
	if strings.HasPrefix(j.Device.Kind, "simulator") {
		asks = 300 // which answers at once
	}
	for range asks {
		script = append(script, "get-config source=running")
	}
	return append(script, "close-session"), []string{j.Value, "Incoming notification"}
}
