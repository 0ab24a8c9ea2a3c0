package daemon

import (
	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"
)

// settings are the configuration that is in force and what follows from it. They
// never change: a reload puts others in their place. Who needs several things of
// them asks for them once.
type settings struct {
	*config.Config
	entries map[string]*callhome.Entry // by name
	pinned  map[string]string          // the name of the entry, by fingerprint
	hook    *hook                      // nil without a user-select hook
	watched []*watched                 // the files that are read again when they change
}

// newSettings fails where there is a hook that cannot be asked, or the host keys
// cannot be read. The state stays where it was at the start.
func (d *daemon) newSettings(from *config.Config) (*settings, error) {
	c := *from
	c.StateDir = d.first.StateDir
	var err error
	if len(c.Gateway.HostKeys) == 0 {
		if c.Gateway.HostKeys, err = hostKeys(c.StateDir); err != nil {
			return nil, err
		}
	}
	s := indexed(&c)
	s.watched = d.watchList(&c)
	s.hook, err = newHook(c.Callhome, d.log)
	return s, err
}

func indexed(c *config.Config) *settings {
	s := &settings{Config: c, entries: make(map[string]*callhome.Entry), pinned: make(map[string]string)}
	for i := range c.Callhome.Entries {
		e := &c.Callhome.Entries[i]
		s.entries[e.Name] = e
		for _, pin := range e.Pins {
			s.pinned[pin.Fingerprint] = e.Name
		}
	}
	return s
}

// settings returns those in force.
func (d *daemon) settings() *settings { return d.inForce.Load() }

// configured reports whether there is a session entry of that name.
func (d *daemon) configured(name string) bool { return d.settings().entries[name] != nil }
