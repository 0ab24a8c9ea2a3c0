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
func (d *daemon) save(ctx context.Context, parts ...store.Saved) (control.ReloadResult, error) {
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
func (d *daemon) unsave(ctx context.Context, kind, name string) (control.ReloadResult, error) {
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
func (d *daemon) changeSaved(ctx context.Context, edit func([]store.Saved) ([]store.Saved, error), keep func() error) (control.ReloadResult, error) {
	if err := d.beginChange(ctx); err != nil {
		return control.ReloadResult{}, err
	}
	defer d.endChange()
	before := d.store.Saved()
	after, err := edit(slices.Clone(before))
	if err != nil {
		return control.ReloadResult{}, err
	}
	c, warnings, err := d.read(after)
	if err == nil {
		err = newlySetAside(d.settings().SetAside, c.SetAside)
	}
	if err != nil {
		return control.ReloadResult{}, err
	}
	kept := false
	result, err := d.follow(c, func() error {
		if err := keep(); err != nil {
			return err
		}
		kept = true
		return nil
	})
	if err != nil {
		if kept {
			err = errors.Join(err, d.putBack(before, after))
		}
		return control.ReloadResult{}, err
	}
	result.Warnings = append([]string{}, warnings...)
	return result, nil
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
