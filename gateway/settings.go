package gateway

import (
	"cmp"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// settings are checked options with what is made of them. Reload puts others in
// their place and changes none.
type settings struct {
	Options
	logins  *auth.Logins
	ssh     *ssh.ServerConfig  // lacks its callbacks
	budgets map[string]*budget // by manager
	all     *budget            // of which those are parts
	devices map[string]DeviceConfig
}

// newSettings checks the options that a gateway begins with.
func newSettings(o Options) (*settings, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &settings{Options: o, all: newBudget(o.SpoolBudget, nil)}
	var err error
	if s.logins, err = auth.NewLogins(o.logins()); err != nil {
		return nil, err
	}
	return s, s.fill(nil)
}

// with checks other options for a gateway that runs, and takes over what stays.
func (s *settings) with(o Options) (*settings, error) {
	o.PortStore, o.Listen, o.Recorder, o.Log, o.TempDir = s.PortStore, s.Listen, s.Recorder, s.Log, s.TempDir
	o.MaxLogins, o.MaxMessage, o.SpoolBudget = s.MaxLogins, s.MaxMessage, s.SpoolBudget
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	next := &settings{Options: o, all: s.all}
	var err error
	if next.logins, err = s.logins.With(o.logins()); err != nil {
		return nil, err
	}
	return next, next.fill(s.budgets)
}

func (o *Options) logins() auth.LoginOptions {
	return auth.LoginOptions{Managers: o.Managers, UserCAs: o.UserCAs, Sources: o.Sources, Places: o.MaxLogins}
}

// fill makes the rest of the options. Managers keep the budgets that they had
// before.
func (s *settings) fill(before map[string]*budget) (err error) {
	if s.ssh, err = newServerConfig(s.HostKeys); err != nil {
		return err
	}
	s.budgets = newBudgets(&s.Options, s.all, before)
	s.index()
	return nil
}

func (s *settings) index() {
	s.devices = make(map[string]DeviceConfig, len(s.Devices))
	for _, d := range s.Devices {
		s.devices[d.Name] = d
	}
}

// device returns how the device is configured, with its defaults filled in.
func (s *settings) device(name string) DeviceConfig {
	config := s.devices[name]
	config.Name = name
	config.Sessions = cmp.Or(config.Sessions, s.Sessions, SessionsAuto)
	config.IdleClose = cmp.Or(config.IdleClose, s.IdleClose)
	return config
}
