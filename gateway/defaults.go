package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
)

// Defaults that others compare with, in bytes.
const (
	DefaultMaxMessage  = 256 << 20
	DefaultSpoolBudget = 1 << 30
)

// withDefaults returns the options with their zero values filled in.
func (o Options) withDefaults() Options {
	if !o.Address.IsValid() {
		o.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	o.HelloTimeout = cmp.Or(o.HelloTimeout, time.Minute)
	o.LoginTimeout = cmp.Or(o.LoginTimeout, time.Minute)
	o.StallTimeout = cmp.Or(o.StallTimeout, time.Minute)
	o.MaxMessage = cmp.Or(o.MaxMessage, DefaultMaxMessage)
	o.SpoolMemory = cmp.Or(o.SpoolMemory, 1<<20)
	o.SpoolBudget = cmp.Or(o.SpoolBudget, DefaultSpoolBudget)
	o.MaxLogins = cmp.Or(o.MaxLogins, 512)
	o.MaxSessions = cmp.Or(o.MaxSessions, 32)
	return o
}

// check returns what is wrong with the options.
func (o *Options) check() error {
	if len(o.HostKeys) == 0 {
		return errors.New("no host key")
	}
	if o.Ports != (PortRange{}) {
		if o.Ports.First == 0 || o.Ports.Last < o.Ports.First {
			return fmt.Errorf("the ports to assign, %d-%d, are no range", o.Ports.First, o.Ports.Last)
		}
		if o.PortStore == nil {
			return errors.New("ports to assign need a PortStore that keeps them")
		}
	}
	return o.checkDevices()
}

func (o *Options) checkDevices() error {
	names, ports := map[string]bool{}, map[uint16]string{}
	if o.Port != 0 {
		ports[o.Port] = "the shared endpoint"
	}
	for _, d := range o.Devices {
		if !auth.ValidName(d.Name) {
			return fmt.Errorf("%q is no device name", d.Name)
		}
		if names[d.Name] {
			return fmt.Errorf("device %s is there twice", d.Name)
		}
		names[d.Name] = true
		if d.Port == 0 {
			continue
		}
		if other := ports[d.Port]; other != "" {
			return fmt.Errorf("port %d is both that of device %s and of %s", d.Port, d.Name, other)
		}
		ports[d.Port] = "device " + d.Name
	}
	return nil
}
