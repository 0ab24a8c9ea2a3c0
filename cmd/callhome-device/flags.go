package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"callhome-gateway/internal/devicesim"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"
)

// flags are the command line as it was given.
type flags struct {
	connect             string
	count               int
	name                string
	usernames           []string
	password            string
	authorizedKey       string
	hostKey             string
	hostCA              string
	hostDomain          string
	legacyAlgorithms    bool
	junos               devicesim.Junos
	seed                string
	reconnect           time.Duration
	latency             time.Duration
	source              string
	sources             netip.Prefix // of source
	rate                float64
	helloSize           int
	maxSessions         int
	base                string
	heartbeat           time.Duration
	target              string
	keyboardInteractive bool
	logLevel            string
	tls                 tlsFlags
}

func (f *flags) register(set *pflag.FlagSet) {
	set.SortFlags = false
	set.StringVar(&f.connect, "connect", "", "`HOST:PORT` to call (required)")
	set.IntVar(&f.count, "count", 1, "number of devices")
	set.StringVar(&f.name, "name", "device", "name; with --count the `PREFIX` of NAME-1, NAME-2, …")
	set.StringSliceVar(&f.usernames, "username", []string{"netconf"}, "the only `USER` that may log in; of several (a,b,c) each device has one, in turn")
	set.StringVar(&f.password, "password", "", "password that logs in")
	set.BoolVar(&f.keyboardInteractive, "keyboard-interactive", false, "ask for the password by keyboard-interactive")
	set.StringVar(&f.authorizedKey, "authorized-key", "", "`FILE` of public keys that log in, as in authorized_keys")
	set.StringVar(&f.hostKey, "host-key", "", "private key `FILE` of the device (default: a new key)")
	set.StringVar(&f.hostCA, "host-ca", "", "private key `FILE` of a CA that certifies the host key of each device for its name")
	set.StringVar(&f.hostDomain, "host-domain", "", "`DOMAIN` behind the name in these certificates")
	set.BoolVar(&f.legacyAlgorithms, "legacy-algorithms", false, "have only ssh-rsa, group14-sha1 and hmac-sha1")
	set.StringVar(&f.junos.DeviceID, "junos-device-id", "", "begin calls as Junos does, as the device `ID`; with --count ID-1, ID-2, …")
	set.StringVar(&f.junos.Secret, "junos-secret", "", "`SECRET` that Junos devices authenticate their host keys with")
	set.StringVar(&f.seed, "seed", "", "derive the keys of the devices from this `TEXT`, so that they stay the same")
	set.DurationVar(&f.reconnect, "reconnect", 5*time.Second, "time between a call's end and the next call")
	set.DurationVar(&f.latency, "latency", 0, "take as much longer for each step of the SSH login, as slow devices do")
	set.StringVar(&f.source, "source", "", "`ADDRESS` to call from, or a prefix such as 127.1.0.0/16 with one for each device")
	set.Float64Var(&f.rate, "rate", 0, "start at most this many calls a second (0: no limit)")
	set.IntVar(&f.helloSize, "hello-size", 0, "pad the hello to this many `BYTES`")
	set.IntVar(&f.maxSessions, "max-sessions", 0, "refuse further sessions on a connection (0: 1024)")
	set.StringVar(&f.base, "base", "both", "NETCONF versions: 1.0, 1.1 or both")
	set.DurationVar(&f.heartbeat, "heartbeat", time.Second, "time between notifications to subscribers")
	set.StringVar(&f.target, "target", "running", "datastore that can be edited: running or candidate")
	f.tls.register(set)
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn, error or off")
}

// options turns the flags into options, or says what is wrong with them.
func (f *flags) options() (devicesim.FleetOptions, error) {
	if err := f.check(); err != nil {
		return devicesim.FleetOptions{}, usageError{err}
	}
	o := devicesim.FleetOptions{
		Count: f.count, Seed: f.seed, Sources: f.sources, Rate: f.rate,
		Usernames: f.usernames, HostDomain: f.hostDomain,
		Options: devicesim.Options{
			Connect: f.connect, Name: f.name,
			Password: f.password, KeyboardInteractive: f.keyboardInteractive, LegacyAlgorithms: f.legacyAlgorithms,
			Latency:   f.latency,
			Reconnect: f.reconnect, Heartbeat: f.heartbeat,
			HelloSize: f.helloSize, MaxSessions: f.maxSessions,
			Base:     bases[f.base],
			Features: devicesim.Features{Candidate: f.target == "candidate", Validate: f.target == "candidate"},
		},
	}
	if f.junos.DeviceID != "" {
		o.Junos = &f.junos
	}
	var err error
	if o.TLS, err = f.tls.options(); err != nil {
		return o, err
	}
	return o, f.readKeys(&o)
}

var bases = map[string][]string{"1.0": {"1.0"}, "1.1": {"1.1"}, "both": {"1.0", "1.1"}}

// check reports the first setting that makes no sense.
func (f *flags) check() error {
	if f.connect == "" {
		return errors.New("nothing to call: give --connect HOST:PORT")
	}
	if _, _, err := net.SplitHostPort(f.connect); err != nil {
		return fmt.Errorf("--connect %q is no HOST:PORT", f.connect)
	}
	if err := f.checkLogin(); err != nil {
		return err
	}
	if f.reconnect <= 0 || f.heartbeat <= 0 {
		return errors.New("--reconnect and --heartbeat must be more than 0s")
	}
	if bases[f.base] == nil {
		return fmt.Errorf("--base %q is not 1.0, 1.1 or both", f.base)
	}
	if f.target != "running" && f.target != "candidate" {
		return fmt.Errorf("--target %q is not running or candidate", f.target)
	}
	if hclog.LevelFromString(f.logLevel) == hclog.NoLevel {
		return fmt.Errorf("--log-level %q is not debug, info, warn, error or off", f.logLevel)
	}
	return f.checkSource()
}

// checkLogin checks what the devices prove themselves with, and whom they let
// in.
func (f *flags) checkLogin() error {
	if !f.tls.on && f.password == "" && f.authorizedKey == "" {
		return errors.New("nobody could log in: give --password or --authorized-key, or --tls with --client-ca")
	}
	if f.junos.Secret != "" && f.junos.DeviceID == "" || f.junos.DeviceID != "" && f.tls.on {
		return errors.New("--junos-secret needs --junos-device-id, which is not for devices with --tls")
	}
	if f.tls.on && (f.password != "" || f.authorizedKey != "" || f.hostKey != "" || f.hostCA != "" || f.keyboardInteractive || f.legacyAlgorithms) {
		return errors.New("passwords, SSH keys and SSH algorithms are not for devices with --tls")
	}
	if f.hostDomain != "" && f.hostCA == "" {
		return errors.New("--host-domain is for the certificates of --host-ca")
	}
	if len(f.usernames) == 0 || slices.Contains(f.usernames, "") {
		return errors.New("--username names nobody")
	}
	if (f.hostKey != "" || f.tls.certificate != "") && (f.count != 1 || f.seed != "") {
		return errors.New("--host-key and --certificate are for one device: with --count or --seed each has its own key")
	}
	return f.tls.check()
}

// checkSource takes a prefix, or an address as the prefix of that one alone.
func (f *flags) checkSource() error {
	if f.source == "" {
		return nil
	}
	var err error
	if f.sources, err = netip.ParsePrefix(f.source); err == nil {
		return nil
	}
	addr, err := netip.ParseAddr(f.source)
	if err != nil {
		return fmt.Errorf("--source %q is no address and no prefix", f.source)
	}
	f.sources = netip.PrefixFrom(addr, addr.BitLen())
	return nil
}
