package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ssh"
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
	o.MaxMessage = cmp.Or(o.MaxMessage, 256<<20)
	o.SpoolMemory = cmp.Or(o.SpoolMemory, 1<<20)
	o.SpoolBudget = cmp.Or(o.SpoolBudget, 1<<30)
	o.MaxLogins = cmp.Or(o.MaxLogins, 256)
	o.MaxSessions = cmp.Or(o.MaxSessions, 32)
	return o
}

// check returns what is wrong with the options.
func (o *Options) check() error {
	if err := o.checkHostKeys(); err != nil {
		return err
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

func (o *Options) checkHostKeys() error {
	if len(o.HostKeys) == 0 {
		return errors.New("no host key")
	}
	for _, key := range o.HostKeys {
		if key.PublicKey().Type() != ssh.KeyAlgoRSA {
			return nil
		}
	}
	return errors.New("an RSA host key alone shuts out managers that lack rsa-sha2, as yangcli: add an ed25519 or ecdsa key")
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
