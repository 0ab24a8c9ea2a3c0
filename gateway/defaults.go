package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"

	"github.com/hashicorp/go-hclog"
)

// Defaults that others compare with; the first two are in bytes.
const (
	DefaultMaxMessage  = 256 << 20
	DefaultSpoolBudget = 1 << 30
	DefaultMaxLogins   = 512
)

// withDefaults returns the options with their zero values filled in.
func (o Options) withDefaults() Options {
	if !o.Address.IsValid() {
		o.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Listen == nil {
		o.Listen = callhome.Listen
	}
	o.HelloTimeout = cmp.Or(o.HelloTimeout, time.Minute)
	o.LoginTimeout = cmp.Or(o.LoginTimeout, time.Minute)
	o.StallTimeout = cmp.Or(o.StallTimeout, time.Minute)
	o.MaxMessage = cmp.Or(o.MaxMessage, DefaultMaxMessage)
	o.SpoolMemory = cmp.Or(o.SpoolMemory, 1<<20)
	o.SpoolBudget = cmp.Or(o.SpoolBudget, DefaultSpoolBudget)
	o.MaxLogins = cmp.Or(o.MaxLogins, DefaultMaxLogins)
	o.MaxSessions = cmp.Or(o.MaxSessions, 32)
	o.Domain = strings.TrimSuffix(strings.ToLower(o.Domain), ".")
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
	if err := o.checkDevices(); err != nil {
		return err
	}
	if o.TLSPort != 0 && !validDomain(o.Domain) {
		return fmt.Errorf("the shared TLS endpoint needs a domain below which SNI names the devices, and %q is none", o.Domain)
	}
	return o.checkPorts()
}

func (o *Options) checkDevices() error {
	names := map[string]bool{}
	for _, d := range o.Devices {
		if !auth.ValidName(d.Name) {
			return fmt.Errorf("%q is no device name", d.Name)
		}
		if names[d.Name] {
			return fmt.Errorf("device %s is there twice", d.Name)
		}
		names[d.Name] = true
	}
	return nil
}

// checkPorts returns what is wrong with the ports that are configured.
func (o *Options) checkPorts() error {
	taken := map[uint16]configuredPort{}
	return o.eachPort(func(p configuredPort) error {
		if other, double := taken[p.port]; double {
			return fmt.Errorf("port %d is both that of %s and of %s", p.port, p, other)
		}
		if p.transport == callhome.TLS && (o.TLS == nil || o.TLS.Certificate == nil || o.TLS.Names == nil) {
			return fmt.Errorf("%s needs TLS options, with a certificate and names", p)
		}
		taken[p.port] = p
		return nil
	})
}

// validDomain reports whether each of the domain's labels is one, and there is
// room for a device's in front of them.
func validDomain(domain string) bool {
	const longest, maxName = 253, 63 // written out (RFC 1035 section 2.3.4), and of a device
	if len(domain) > longest-len(".")-maxName {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !auth.ValidName(label) {
			return false
		}
	}
	return true
}

// configuredPort is an endpoint that the options name.
type configuredPort struct {
	transport callhome.Transport
	device    string // empty on the shared one
	port      uint16
}

func (p configuredPort) String() string {
	transport := strings.ToUpper(string(p.transport))
	if p.device == "" {
		return "the shared endpoint over " + transport
	}
	return "the endpoint of device " + p.device + " over " + transport
}

// option is what the configuration calls it.
func (p configuredPort) option() string {
	option := "port"
	if p.transport == callhome.TLS {
		option = "tls_port"
	}
	if p.device == "" {
		option = "gateway " + option
	}
	return option
}

func (p configuredPort) failed(err error) error {
	return fmt.Errorf("%s, %s %d: %w", p, p.option(), p.port, err)
}

// eachPort calls f for all ports that are configured, the shared ones first,
// until it returns an error.
func (o *Options) eachPort(f func(configuredPort) error) error {
	shared := DeviceConfig{Port: o.Port, TLSPort: o.TLSPort}
	for _, d := range slices.Insert(slices.Clone(o.Devices), 0, shared) {
		for _, transport := range []callhome.Transport{callhome.SSH, callhome.TLS} {
			port := d.port(transport)
			if port == 0 {
				continue
			}
			if err := f(configuredPort{transport, d.Name, port}); err != nil {
				return err
			}
		}
	}
	return nil
}

// port returns the device's own port that is configured for the transport, or 0.
func (d *DeviceConfig) port(transport callhome.Transport) uint16 {
	if transport == callhome.TLS {
		return d.TLSPort
	}
	return d.Port
}
