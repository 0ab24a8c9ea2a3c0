package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"callhome-gateway/auth"
	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"
	"callhome-gateway/internal/store"
)

// withSaved returns the configuration with what operators have saved, which the
// file alone does not tell where to find.
func (d *daemon) withSaved(c *config.Config) (*config.Config, error) {
	saved := d.store.Saved()
	if d.Load == nil || len(saved) == 0 {
		return c, nil
	}
	c, warnings, err := d.read(saved)
	for _, warning := range warnings {
		d.log.Warn("the configuration was read with a warning", "warning", warning)
	}
	return c, err
}

// read reads the file, and what was saved beside it: that never makes an error of
// what is none without it.
func (d *daemon) read(saved []store.Saved) (*config.Config, []string, error) {
	if d.Load == nil {
		return nil, nil, fmt.Errorf("%w: this gateway runs without a configuration file", control.ErrInvalid)
	}
	c, warnings, err := d.Load(blocksOf(saved))
	if err != nil {
		return nil, nil, err
	}
	if taken := d.portsTaken(c); len(taken) > 0 {
		free := slices.DeleteFunc(slices.Clone(saved), func(s store.Saved) bool { return s.Kind == store.SavedSession && taken[s.Name] != "" })
		if c, warnings, err = d.Load(blocksOf(free)); err != nil {
			return nil, nil, err
		}
		for _, s := range blocksOf(saved) {
			if reason := taken[s.Name]; s.Kind == config.SavedSession && reason != "" {
				c.SetAside = append(c.SetAside, config.SetAside{Saved: s, Reason: reason})
			}
		}
	}
	for _, s := range c.SetAside {
		warnings = append(warnings, fmt.Sprintf("%s %s, which a command has saved, does not count: %s", s.Kind, s.Name, s.Reason))
	}
	return c, warnings, nil
}

// portsTaken returns why saved sessions, by name, cannot have their ports: other
// programs have them.
func (d *daemon) portsTaken(c *config.Config) map[string]string {
	own := make(map[uint16]bool)
	if d.gateway != nil {
		for _, device := range d.gateway.Devices() {
			own[device.Port], own[device.TLSPort] = true, true
		}
	}
	taken := make(map[string]string)
	for _, device := range c.Gateway.Devices {
		for _, port := range []uint16{device.Port, device.TLSPort} {
			if port == 0 || own[port] || c.SessionOrigin(device.Name) != config.FromSaved {
				continue
			}
			if socket, err := d.sockets.open(c.Gateway.Address, port); err != nil {
				taken[device.Name] = err.Error()
			} else {
				socket.giveUp()
			}
		}
	}
	return taken
}

// blocksOf returns what was saved as the configuration wants it.
func blocksOf(saved []store.Saved) []config.Saved {
	list := make([]config.Saved, len(saved))
	for i, s := range saved {
		list[i] = config.Saved{Kind: s.Kind, Name: s.Name, Text: auth.Secret(s.Text)}
	}
	return list
}

// save adds parts to the configuration, or replaces those of their kind and
// name, and has all follow. It changes nothing where one would not count, or
// another would not any more; the error wraps control.ErrInvalid then.
func (d *daemon) save(ctx context.Context, parts ...store.Saved) error {
	return d.changeSaved(ctx, func(list []store.Saved) ([]store.Saved, error) {
		for _, part := range parts {
			if i := indexSaved(list, part.Kind, part.Name); i >= 0 {
				list[i] = part
			} else {
				list = append(list, part)
			}
		}
		return list, nil
	}, func() error { return d.store.Save(parts...) })
}

// unsave takes a part away that was saved, and has all follow. It changes nothing
// where another needs it.
func (d *daemon) unsave(ctx context.Context, kind, name string) error {
	return d.changeSaved(ctx, func(list []store.Saved) ([]store.Saved, error) {
		i := indexSaved(list, kind, name)
		if i < 0 {
			return nil, fmt.Errorf("%s %.80q: %w is saved: what the configuration file has is removed there", kind, name, auth.ErrUnknownEntry)
		}
		return slices.Delete(list, i, i+1), nil
	}, func() error { return d.store.Unsave(kind, name) })
}

func indexSaved(list []store.Saved, kind, name string) int {
	return slices.IndexFunc(list, func(s store.Saved) bool { return s.Kind == kind && s.Name == name })
}

// changeSaved tries out what would be saved, and has all follow. What is stored
// is stored before anything follows: after a crash the gateway starts with all of
// it or with nothing.
func (d *daemon) changeSaved(ctx context.Context, edit func([]store.Saved) ([]store.Saved, error), keep func() error) error {
	if err := d.beginChange(ctx); err != nil {
		return err
	}
	defer d.endChange()
	before := d.store.Saved()
	after, err := edit(slices.Clone(before))
	if err != nil {
		return err
	}
	kept := false
	_, err = d.readAndFollow(after, func(c *config.Config) error {
		if err := newlySetAside(d.settings().SetAside, c.SetAside); err != nil {
			return err
		}
		if err := keep(); err != nil {
			return err
		}
		kept = true
		return nil
	})
	if kept && err != nil {
		err = errors.Join(err, d.putBack(before, after))
	}
	return err
}

// newlySetAside says what would not count, and did before or is new.
func newlySetAside(before, after []config.SetAside) error {
	for _, s := range after {
		same := func(old config.SetAside) bool { return old.Kind == s.Kind && old.Name == s.Name && old.Text == s.Text }
		if !slices.ContainsFunc(before, same) {
			return fmt.Errorf("%w: %s %s would not count: %s", control.ErrInvalid, s.Kind, s.Name, s.Reason)
		}
	}
	return nil
}

// putBack stores what was saved before a change that could not be followed.
func (d *daemon) putBack(before, after []store.Saved) error {
	for _, s := range after {
		if indexSaved(before, s.Kind, s.Name) < 0 {
			if err := d.store.Unsave(s.Kind, s.Name); err != nil {
				return err
			}
		}
	}
	changed := slices.DeleteFunc(slices.Clone(before), func(s store.Saved) bool {
		i := indexSaved(after, s.Kind, s.Name)
		return i >= 0 && after[i].Text == s.Text
	})
	if len(changed) == 0 {
		return nil
	}
	return d.store.Save(changed...)
}
