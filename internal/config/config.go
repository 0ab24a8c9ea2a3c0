// Package config reads the configuration file: HCL in, the option structs of
// the other packages out, and every problem with its place in the file.
package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/audit"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
)

const (
	// DefaultStateDir is where the state is kept unless state_dir says otherwise.
	DefaultStateDir = "/var/lib/callhome-gateway"
	// DefaultPort and DefaultTLSPort are the IANA ports of NETCONF Call Home over
	// SSH and over TLS (RFC 8071 section 6).
	DefaultPort    = 4334
	DefaultTLSPort = 4335
	// DefaultDrainTimeout and DefaultDrainRate are those of Config.
	DefaultDrainTimeout = 30 * time.Second
	DefaultDrainRate    = 500
)

// Config is a configuration without errors.
type Config struct {
	// StateDir is where the state is kept; relative to the process, not to the file.
	StateDir string
	// Enabled says that calls are accepted from the start.
	Enabled  bool
	Callhome Callhome
	// Gateway has no HostKeys where the file names none, and neither PortStore
	// nor Log. Its TLS lacks the Certificate, which TLS is about, and is nil
	// without TLS endpoints.
	Gateway gateway.Options
	TLS     ServerTLS
	// Lists are the revocation lists that came from files, which change.
	Lists []Lists
	Log   Log
	Audit audit.Options
	// DrainTimeout is how long manager sessions may go on after the gateway was
	// told to stop, DrainRate how many links of devices it closes a second then.
	DrainTimeout time.Duration
	DrainRate    int
	// SetAside is what was saved and does not count, with the reasons.
	SetAside []SetAside

	origins origins
}

// Callhome are the listeners for calls and what becomes of them. Memory, Attach,
// Detach, Outcome, UserSelect and Log are not set.
type Callhome struct {
	// Main has no name, and neither Users nor Trust: they are those of Options.
	Main Listener
	// Listeners are the further ones.
	Listeners []Listener
	// Hook is nil where nothing is to be asked.
	Hook *Hook
	callhome.Options
}

// Listener is an address for calls and what holds for them. Transport is not
// set: Port is for calls over SSH, TLSPort for those over TLS, and 0 where
// nothing shall listen.
type Listener struct {
	callhome.Listener
	Address       netip.Addr
	Port, TLSPort uint16
}

// All returns every listener, the main one first.
func (c Callhome) All() []Listener { return append([]Listener{c.Main}, c.Listeners...) }

// Log says what is logged: Level is a level of hclog, Format "text" or "json".
type Log struct{ Level, Format string }

// Options changes how a file is loaded.
type Options struct {
	// Offline turns unset environment variables and missing files into
	// warnings: the file is checked on another machine than the one it is for.
	Offline bool
	// Getenv looks up the variables for env (default: os.LookupEnv).
	Getenv func(string) (string, bool)
	// Flags beat the file.
	Flags Flags
	// Saved is what was added while the gateway ran. It adds to the file and the
	// flags, and never makes an error of what is none without it.
	Saved []Saved
}

// Load reads and checks the whole file. The Config is nil if there is an error;
// with warnings alone it is usable. The Problems are never nil.
func Load(path string, o Options) (*Config, *Problems) {
	f, err := readFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return load(path, f, o)
}

func unreadable(path string, err error) *Problems {
	p := newProblems(path, nil)
	p.fail(hcl.Range{}, missingHint(path), "%s", err)
	return p
}

func missingHint(path string) string {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return `write one (config.hcl.example shows all that can be in it), name another with --config, or see the gateway at work without any: callhome-gateway demo`
}

func load(path string, f openFile, o Options) (*Config, *Problems) {
	p := newProblems(path, f.content)
	defer p.sort()
	if f.exposed && !o.Offline {
		p.warn(hcl.Range{}, "chmod o-rwx "+path, "every user of this machine can read this file")
	}
	body, ok := p.parse()
	if !ok {
		return nil, p
	}
	c := newDecoder(p, path, o).config(body, o)
	if p.HasErrors() {
		return nil, p
	}
	return c, p
}

func newDecoder(p *Problems, path string, o Options) *decoder {
	d := &decoder{problems: p, dir: filepath.Dir(path), offline: o.Offline, getenv: o.Getenv}
	if d.getenv == nil {
		d.getenv = os.LookupEnv
	}
	d.ctx = &hcl.EvalContext{Functions: d.functions()}
	return d
}

// config decodes block by block. Users come first, the others refer to them.
// What was saved comes last: it has to go with all that is there already.
func (d *decoder) config(body hcl.Body, o Options) *Config {
	var f fileSchema
	d.problems.add(gohcl.DecodeBody(body, nil, &f))
	c := &Config{StateDir: d.stateDir(f.StateDir), DrainTimeout: DefaultDrainTimeout, DrainRate: DefaultDrainRate}
	users := d.users(f.Users)
	d.callhome(c, f.Callhome, users)
	sessions := newSessionChecks()
	d.sessions(c, f.Sessions, users, sessions)
	d.gateway(c, f.Gateway, f)
	d.managers(c, f)
	d.log(c, f.Log)
	d.audit(c, f.Audit)

	d.checkPorts(f, c)
	d.flags(c, o.Flags)
	all := d.saved(c, f, o.Saved, sessions)
	c.Lists = d.lists

	d.checkTrust(f, c)
	d.checkLogins(all, c)
	d.checkReachable(all, c)
	d.checkTLSBlock(f, c)
	return c
}

func (d *decoder) stateDir(a *hcl.Attribute) string {
	if a == nil {
		return DefaultStateDir
	}
	s, ok := d.string(a)
	if ok && s.text == "" {
		d.problems.fail(s.at, "leave it out to have "+DefaultStateDir, "state_dir is empty")
	}
	return d.path(s.text)
}

func (d *decoder) log(c *Config, blocks []logBlock) {
	c.Log = Log{Level: "info", Format: "text"}
	b := single(d.problems, "log", blocks, func(b logBlock) hcl.Range { return b.Def })
	if b == nil {
		return
	}
	d.choice(b.Level, []string{"trace", "debug", "info", "warn", "error", "off"}, &c.Log.Level)
	d.choice(b.Format, []string{"text", "json"}, &c.Log.Format)
}
