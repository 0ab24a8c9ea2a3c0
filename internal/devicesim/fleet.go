package devicesim

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// FleetOptions describes many devices in one process.
type FleetOptions struct {
	// Options is what the devices have in common. Device number n, from 1 on,
	// is called Name-n; a single one just Name. So it is with the DeviceID of
	// Junos.
	Options
	// Count is the number of devices, at least 1.
	Count int
	// Seed makes the host keys and certificates (see KeyFromSeed and
	// CertificateFromSeed); without one they are random. HostKeys and
	// TLS.Certificate, if given, are those of a single device.
	Seed string
	// Usernames, if given, let one user into each device instead of Username:
	// the first into the first, and so on, starting over at the end.
	Usernames []string
	// HostCA, if not nil, certifies the host key of each device, for its name
	// as the principal, with HostDomain behind a dot where there is one. A
	// device shows the bare key, too, to those who ask for that.
	HostCA     ssh.Signer
	HostDomain string
	// Sources, if valid, gives the devices the addresses of a prefix to call
	// from, one each, beginning with its own address and starting over there
	// at its end.
	Sources netip.Prefix
	// Rate is how many calls all devices together start each second, at
	// most. Default: as many as they want.
	Rate float64
}

// Fleet is a number of devices that call the same peer.
type Fleet struct {
	// Devices are in the order of their numbers.
	Devices []*Device
}

// NewFleet makes a fleet.
func NewFleet(o FleetOptions) (*Fleet, error) {
	if o.Count < 1 {
		return nil, fmt.Errorf("a fleet of %d devices: at least 1 is needed", o.Count)
	}
	if o.Count > 1 && (len(o.HostKeys) > 0 || o.TLS != nil && len(o.TLS.Certificate.Certificate) > 0) {
		return nil, errors.New("several devices cannot share host keys or a certificate")
	}
	f := &Fleet{Devices: make([]*Device, o.Count)}
	pace := o.pace()
	source := o.Sources.Addr()
	for i := range f.Devices {
		d, err := o.device(i, source)
		if err != nil {
			return nil, err
		}
		d.pace = pace
		f.Devices[i] = d
		source = o.after(source)
	}
	return f, nil
}

func (o *FleetOptions) pace() func(context.Context) error {
	if o.Rate <= 0 {
		return nil
	}
	return newPacer(o.Rate).wait
}

// after returns the source address that follows.
func (o *FleetOptions) after(source netip.Addr) netip.Addr {
	if next := source.Next(); o.Sources.Contains(next) {
		return next
	}
	return o.Sources.Addr()
}

func (o *FleetOptions) device(i int, source netip.Addr) (*Device, error) {
	one := o.Options
	if o.Count > 1 {
		one.Name = fmt.Sprintf("%s-%d", o.Name, i+1)
		if one.Junos != nil {
			own := *one.Junos
			own.DeviceID = fmt.Sprintf("%s-%d", own.DeviceID, i+1)
			one.Junos = &own
		}
	}
	if source.IsValid() {
		one.Source = source
	}
	if len(o.Usernames) > 0 {
		one.Username = o.Usernames[i%len(o.Usernames)]
	}
	if err := o.prove(&one, i); err != nil {
		return nil, err
	}
	return New(one)
}

// prove gives a device what it proves itself with, unless it has that.
func (o *FleetOptions) prove(one *Options, i int) error {
	if one.TLS != nil {
		return o.certify(one, i)
	}
	if len(one.HostKeys) == 0 {
		key, err := o.key(i)
		if err != nil {
			return err
		}
		one.HostKeys = []ssh.Signer{key}
	}
	return o.certifyHost(one)
}

func (o *FleetOptions) key(i int) (ssh.Signer, error) {
	switch {
	case o.LegacyAlgorithms && o.Seed != "":
		return nil, errors.New("legacy devices have RSA keys, which cannot be derived from a seed")
	case o.LegacyAlgorithms:
		return generateLegacyKey()
	case o.Seed == "":
		return GenerateKey()
	}
	return KeyFromSeed(o.Seed, i)
}

// certifyHost adds a certificate for the device's first key.
func (o *FleetOptions) certifyHost(one *Options) error {
	if o.HostCA == nil {
		return nil
	}
	principal := one.Name
	if o.HostDomain != "" {
		principal += "." + o.HostDomain
	}
	certified, err := CertifyHost(one.HostKeys[0], o.HostCA, time.Time{}, principal)
	one.HostKeys = append(slices.Clip(one.HostKeys), certified)
	return err
}

// certify makes a certificate from the seed. Without one New makes it.
func (o *FleetOptions) certify(one *Options, i int) error {
	if o.Seed == "" || len(one.TLS.Certificate.Certificate) > 0 {
		return nil
	}
	own := *one.TLS
	var err error
	own.Certificate, err = CertificateFromSeed(o.Seed, i, one.Name, own.Issuer)
	one.TLS = &own
	return err
}

// Run runs all devices until ctx ends, and returns when all have ended.
func (f *Fleet) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, d := range f.Devices {
		wg.Go(func() { _ = d.Run(ctx) }) // each logs its own errors
	}
	wg.Wait()
	return ctx.Err()
}
