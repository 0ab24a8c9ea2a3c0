package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"

	"github.com/hashicorp/go-hclog"
)

// errEnding says that it is too late to change anything.
var errEnding = fmt.Errorf("nothing can be changed any more: %w", control.ErrStopping)

// unfit is why a configuration cannot be followed: the operator's to put right.
type unfit struct{ error }

func (e unfit) Unwrap() []error { return []error{e.error, control.ErrInvalid} }

// beginChange waits until nobody else changes what is in force. Who gets nil must
// call endChange.
func (d *daemon) beginChange(ctx context.Context) error {
	select {
	case d.changing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting for another change to end: %w", ctx.Err())
	}
	if d.ending.Load() {
		d.endChange()
		return errEnding
	}
	return nil
}

func (d *daemon) endChange() { <-d.changing }

// reload reads the configuration again and has all parts follow it, or changes
// nothing and says all that is wrong with it.
func (d *daemon) reload(ctx context.Context) (control.ReloadResult, error) {
	if err := d.beginChange(ctx); err != nil {
		return control.ReloadResult{}, err
	}
	defer d.endChange()
	d.service.reloading()
	defer d.service.ready()
	result, err := d.readAndFollow(d.store.Saved(), nil)
	if err != nil {
		err = unfit{err}
		for problem := range strings.Lines(err.Error()) {
			d.log.Error("the configuration was not read again, the old one stays in force", "problem", strings.TrimSpace(problem))
		}
	}
	d.events.reloaded(result, err)
	return result, err
}

// readAndFollow has all parts follow the file with what is or would be saved, and
// logs what has changed. keep is called when only the endpoints of managers are
// left to fail; it has the last word, and its undoing is the caller's.
func (d *daemon) readAndFollow(saved []store.Saved, keep func(*config.Config) error) (control.ReloadResult, error) {
	c, warnings, err := d.read(saved)
	if err != nil {
		return control.ReloadResult{}, err
	}
	result, err := d.follow(c, keep)
	if err != nil {
		return control.ReloadResult{}, err
	}
	result.Warnings = append([]string{}, warnings...)
	for _, warning := range warnings {
		d.log.Warn("the configuration was read again with a warning", "warning", warning)
	}
	for _, option := range result.NeedRestart {
		d.log.Warn("an option has changed that stays as it was until a restart", "option", option)
	}
	d.log.Info("the configuration was read again", "links_ended", result.Links, "manager_sessions_ended", result.Sessions, "need_restart", len(result.NeedRestart))
	d.tellListeners()
	return result, nil
}

// follow has all parts follow the configuration, or changes nothing. All that
// can fail comes first, in the order in which it is the easier to undo.
func (d *daemon) follow(c *config.Config, keep func(*config.Config) error) (result control.ReloadResult, err error) {
	var undo []func()
	defer func() {
		if err == nil {
			return
		}
		for _, step := range slices.Backward(undo) {
			step()
		}
	}()
	old := d.settings()
	next, err := d.newSettings(c)
	if err != nil {
		return result, err
	}
	calls, managers := d.options(next)
	rules, err := d.callhome.Check(calls, callRules(c))
	if err != nil {
		return result, err
	}
	certificates, err := d.changeCertificates(next)
	if err != nil {
		return result, err
	}
	undo = append(undo, certificates.undo)
	listeners, err := d.changeCalls(c, d.callOrder())
	if err != nil {
		return result, err
	}
	undo = append(undo, listeners.undo)
	if err := d.audit.Use(c.Audit); err != nil {
		return result, err
	}
	undo = append(undo, func() { d.auditAgain(old) })
	if keep != nil {
		if err := keep(c); err != nil {
			return result, err
		}
	}
	if result.Sessions, err = d.gateway.Reload(managers, d.known); err != nil {
		return result, err
	}
	d.inForce.Store(next)
	result.Links = d.callhome.Use(rules)
	result.NeedRestart = append([]string{}, config.NeedRestart(d.first, c)...)
	listeners.commit()
	certificates.commit()
	d.takeLeave(old, next)
	return result, nil
}

func (d *daemon) auditAgain(s *settings) {
	if err := d.audit.Use(s.Audit); err != nil {
		d.log.Error("the audit cannot go on where it was", "error", err)
	}
}

// takeLeave ends what was of the old settings alone, when the next are in force.
func (d *daemon) takeLeave(old, next *settings) {
	d.compareLists(old.Lists, next.Lists)
	if old.hook != nil {
		old.hook.close()
	}
	if next.Log.Level != old.Log.Level {
		d.log.SetLevel(hclog.LevelFromString(next.Log.Level))
	}
}

// options are what the parts are given of the settings.
func (d *daemon) options(s *settings) (callhome.Options, gateway.Options) {
	calls, managers := s.Callhome.Options, s.Gateway
	calls.MaxCalls, calls.MaxHeld, managers.MaxLogins = d.bounds.calls, d.bounds.held, d.bounds.logins
	calls.Memory, calls.Log = d.store, d.log
	calls.Attach = func(l *callhome.Link) { d.gateway.Attach(l) }
	calls.Detach, calls.Outcome = d.detached, d.ended
	if s.hook != nil {
		calls.UserSelect, calls.UserSelectTimeout = s.hook.choose, s.hook.timeout
	}
	managers.PortStore, managers.Log = d.store, d.log
	managers.Listen, managers.Recorder = d.sockets.listen, d.record
	// Requests that wait on disk may hold secrets; nobody else can look in here.
	managers.TempDir = s.StateDir
	if managers.TLS != nil {
		tls := *managers.TLS
		tls.Certificate = d.certificates.get
		managers.TLS = &tls
	}
	return calls, managers
}
