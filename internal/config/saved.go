package config

import (
	"fmt"
	"slices"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
)

// Saved is a part of the configuration that was added while the gateway ran. It
// is read together with the file. Where the file has one of its kind and name,
// the file wins; one that does not go with the file is set aside.
type Saved struct {
	// Kind is SavedUser, SavedSession or SavedCallhomeUser.
	Kind, Name string
	// Text is the block in HCL; empty for a callhome-user. There may be secrets in
	// it.
	Text auth.Secret
}

// The kinds of what is Saved.
const (
	SavedUser         = "user"
	SavedSession      = "session"
	SavedCallhomeUser = "callhome-user"
)

// SetAside is a Saved that does not count, and why, in a sentence for a person.
type SetAside struct {
	Saved
	Reason string
}

// savedSchema is what the text of a Saved may be.
type savedSchema struct {
	Users    []userBlock    `hcl:"user,block"`
	Sessions []sessionBlock `hcl:"session,block"`
}

// saved adds what was saved to a configuration without errors, and returns the
// blocks of the file with those that were added. Each is decoded as if it stood
// at the end of the file, or else is set aside: users first, which the others
// refer to.
func (d *decoder) saved(c *Config, f fileSchema, list []Saved, checks sessionChecks) fileSchema {
	if d.problems.HasErrors() {
		return f
	}
	c.origins.users, c.origins.sessions = make(map[string]Origin), make(map[string]Origin)
	ports := c.clashes(newProblems("", nil), c.listeners())
	for _, kind := range []struct {
		name string
		add  func(Saved) (reason string)
	}{
		{SavedUser, func(s Saved) string { return d.savedUser(c, &f, s) }},
		{SavedCallhomeUser, func(s Saved) string { return d.savedCallhomeUser(c, s) }},
		{SavedSession, func(s Saved) string { return d.savedSession(c, &f, s, checks, ports) }},
	} {
		for _, s := range list {
			if s.Kind != kind.name {
				continue
			}
			if reason := kind.add(s); reason != "" {
				c.SetAside = append(c.SetAside, SetAside{Saved: s, Reason: reason})
			}
		}
	}
	return f
}

func (d *decoder) savedUser(c *Config, f *fileSchema, s Saved) (reason string) {
	name := strings.ToLower(s.Name)
	if c.Callhome.NamedUsers[name] != nil {
		return taken(s, c.UserOrigin(name))
	}
	var b userBlock
	var u *auth.User
	reason = d.attempt(s, func(blocks savedSchema) {
		b = blocks.Users[0]
		u = d.user(b)
	})
	if reason != "" {
		return reason
	}
	c.Callhome.NamedUsers[name], d.userBlocks[name] = u, b
	if c.Callhome.Hook != nil { // which may name it
		d.callhomeUserBlocks = append(d.callhomeUserBlocks, b)
	}
	f.Users = append(f.Users, b)
	c.origins.users[name] = FromSaved
	return ""
}

func (d *decoder) savedCallhomeUser(c *Config, s Saved) (reason string) {
	u := c.Callhome.NamedUsers[s.Name]
	if u == nil {
		return fmt.Sprintf("there is no user %q", s.Name)
	}
	if i := slices.Index(c.Callhome.Users, u); i >= 0 {
		return map[Origin]string{
			FromFile: "listed in the file", FromFlag: "listed on the command line", FromSaved: "listed already",
		}[c.CallhomeUserOrigin(i)]
	}
	c.addCallhomeUser(u, FromSaved)
	d.callhomeUserBlocks = append(d.callhomeUserBlocks, d.userBlocks[s.Name])
	return ""
}

func (d *decoder) savedSession(c *Config, f *fileSchema, s Saved, checks sessionChecks, ports portTable) (reason string) {
	name := strings.ToLower(s.Name)
	if _, ok := checks.names.lines[name]; ok {
		return taken(s, c.SessionOrigin(name))
	}
	var b sessionBlock
	var e callhome.Entry
	var device gateway.DeviceConfig
	reason = d.attempt(s, func(blocks savedSchema) {
		b = blocks.Sessions[0]
		e, device = d.session(b, c.Callhome.NamedUsers, checks), d.device(b)
		d.savedPorts(b, c.deviceListeners(device), ports)
	})
	if reason != "" {
		checks.release(name, e.Address)
		ports.remove(c.deviceListeners(device))
		return reason
	}
	checks.names.lines[name] = 0
	c.Callhome.Entries, c.Gateway.Devices = append(c.Callhome.Entries, e), append(c.Gateway.Devices, device)
	if device.TLSPort != 0 {
		c.Gateway.TLS = d.serverTLS
	}
	f.Sessions = append(f.Sessions, b)
	c.origins.sessions[name] = FromSaved
	return ""
}

// savedPorts checks the ports of a session against all others.
func (d *decoder) savedPorts(b sessionBlock, own []listener, ports portTable) {
	for _, l := range own {
		ports.add(d.problems, l)
	}
	if b.TLSPort != nil && d.serverTLS == nil {
		d.problems.fail(b.TLSPort.Range, tlsHint, noServerTLS)
	}
}

// taken words that something of the kind and name is there already.
func taken(s Saved, by Origin) string {
	if by == FromSaved {
		return fmt.Sprintf("there is another saved %s of this name", s.Kind)
	}
	return fmt.Sprintf("the file has a %s of this name", s.Kind)
}

// attempt decodes the one block of something that was saved. It returns the
// first error instead of reporting it, and no warnings: no operator has written
// the text.
func (d *decoder) attempt(s Saved, decode func(savedSchema)) (reason string) {
	file, lists := d.problems, len(d.lists)
	d.problems = newProblems("", nil)
	if blocks, ok := d.savedBlock(s); ok {
		decode(blocks)
	}
	saved := d.problems
	d.problems = file
	i := slices.IndexFunc(saved.list, func(q problem) bool { return !q.warning })
	if i < 0 {
		return ""
	}
	d.lists = d.lists[:lists]
	q := saved.list[i]
	if q.hint == "" {
		return q.what
	}
	return q.what + ": " + q.hint
}

// savedBlock parses a text. Nothing is wrong with its grammar if ok.
func (d *decoder) savedBlock(s Saved) (blocks savedSchema, ok bool) {
	p := Problems{name: fmt.Sprintf("saved %s %s", s.Kind, s.Name), src: []byte(s.Text.Reveal())} // nobody prints it
	body, ok := p.parse()
	if !ok {
		d.problems.fail(hcl.Range{}, "", "the saved text is not HCL")
		return blocks, false
	}
	d.problems.add(gohcl.DecodeBody(body, nil, &blocks))
	switch {
	case d.problems.HasErrors():
	case !blocks.are(s):
		d.problems.fail(hcl.Range{}, "", "the saved text is not the block of a %s %q", s.Kind, s.Name)
	case !auth.ValidName(s.Name):
		d.problems.fail(hcl.Range{}, nameHint(strings.ToLower(s.Name)), "%q cannot be the name of a %s", s.Name, s.Kind)
	}
	return blocks, !d.problems.HasErrors()
}

// are reports whether there is one block, of that kind and name.
func (b savedSchema) are(s Saved) bool {
	switch {
	case len(b.Users)+len(b.Sessions) != 1:
		return false
	case len(b.Users) == 1:
		return s.Kind == SavedUser && b.Users[0].Name == s.Name
	}
	return s.Kind == SavedSession && b.Sessions[0].Name == s.Name
}
