package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
)

var trusts = map[string]auth.Trust{
	auth.TrustPinned.String():   auth.TrustPinned,
	auth.TrustApprove.String():  auth.TrustApprove,
	auth.TrustFirstUse.String(): auth.TrustFirstUse,
}

// maxIdleClose is far beyond what a periodic connection idles for.
const maxIdleClose = 24 * time.Hour

func (d *decoder) callhome(c *Config, blocks []callhomeBlock, users userTable) {
	ch := &c.Callhome
	ch.Main.Address, ch.Main.Port, ch.NamedUsers = netip.IPv4Unspecified(), DefaultPort, users
	for _, b := range d.userBlocks {
		if b.hasTLS() {
			ch.Main.TLSPort = DefaultTLSPort
		}
	}
	b := single(d.problems, "callhome", blocks, func(b callhomeBlock) hcl.Range { return b.Def })
	if b == nil {
		return
	}
	d.bool(b.Enabled, &c.Enabled)
	d.listenAddress(b.Address, &ch.Main.Address)
	d.port(b.Port, 0, &ch.Main.Port)
	d.port(b.TLSPort, 0, &ch.Main.TLSPort)
	d.listenerRules(&ch.Main, b.Allow, b.Deny, b.Proxies, b.DeviceSecret)
	c.Gateway.Sessions = d.sessionMode(b.Sessions)
	d.duration(b.IdleClose, 0, maxIdleClose, &c.Gateway.IdleClose)
	d.int(b.DrainRate, 1, 100_000, &c.DrainRate)
	ch.Users = d.userList(b.Users, users)
	ch.Trust = d.trust(b.Trust)
	d.callListeners(ch, b.Listeners, users)
	d.sources(b.SourceBitsV4, b.SourceBitsV6, b.ExemptSources, &ch.Sources)
	if ch.Hook = d.hook(b.UserSelect); ch.Hook != nil {
		d.callhomeUserBlocks = slices.Collect(maps.Values(d.userBlocks))
	}
	d.callhomeTimes(ch, b)
	d.callhomeBounds(ch, b)
}

// userList returns the callhome-users of one listener; nil without the attribute.
func (d *decoder) userList(a *hcl.Attribute, users userTable) (list []*auth.User) {
	if a != nil {
		list = []*auth.User{}
	}
	seen := make(map[string]bool)
	for _, s := range d.list(a) {
		if seen[s.text] {
			d.problems.fail(s.at, "each is tried once", "user %q is listed twice", s.text)
		}
		seen[s.text] = true
		if u := users.find(d.problems, s); u != nil {
			list = append(list, u)
			d.callhomeUserBlocks = append(d.callhomeUserBlocks, d.userBlocks[s.text])
		}
	}
	return list
}

func (d *decoder) trust(a *hcl.Attribute) auth.Trust {
	word := auth.TrustApprove.String()
	d.choice(a, []string{"pinned", "approve", "first-use"}, &word)
	trust := trusts[word]
	if trust == auth.TrustFirstUse {
		d.problems.warn(a.Expr.Range(), `whoever calls first under a device's address is trusted as that device; RFC 8071 (C5 and C7) forbids it. "approve" needs one command for each device`,
			"devices are trusted on first use, without anybody checking their keys")
	}
	return trust
}

func (d *decoder) callhomeTimes(ch *Callhome, b *callhomeBlock) {
	d.durationOrNever(b.RejectDelay, 10*time.Minute, &ch.RejectDelay)
	d.durationOrNever(b.FailureTTL, 365*24*time.Hour, &ch.FailureTTL)
	d.durationOrNever(b.IdleRPC, 24*time.Hour, &ch.IdleRPC)
	d.duration(b.KeepaliveInterval, time.Second, time.Hour, &ch.KeepaliveInterval)
	d.duration(b.DeadAfter, time.Second, time.Hour, &ch.DeadAfter)
	liveness := "ack"
	d.choice(b.Liveness, []string{"ack", "reply"}, &liveness)
	ch.ReplyLiveness = liveness == "reply"
}

func (d *decoder) callhomeBounds(ch *Callhome, b *callhomeBlock) {
	d.int(b.MaxHandshakes, 1, 1<<16, &ch.MaxHandshakes)
	d.int(b.MaxHandshakesPerSource, 1, 1<<16, &ch.MaxHandshakesPerSource)
	d.int(b.MaxCalls, 1, 1<<20, &ch.MaxCalls)
	d.int(b.MaxHeld, 1, 1<<20, &ch.MaxHeld)
}

// checkTrust finds settings that each are fine, and together reach no device or
// trust any.
func (d *decoder) checkTrust(f fileSchema, c *Config) {
	for i, b := range f.Sessions {
		trusts := c.Callhome.trusts(c.Callhome.Entries[i].Listener)
		if !d.identifies(b) && !slices.ContainsFunc(trusts, func(t auth.Trust) bool { return t != auth.TrustPinned }) {
			d.problems.warn(b.Def, fmt.Sprintf(`add the fingerprint of the device's host key as host_keys = ["SHA256:…"], or of its certificate as certificates = ["SHA256:…"], unless %q was approved earlier`, b.Name),
				`trust is "pinned", but session %q pins no key: its calls are rejected`, b.Name)
		}
	}
	for _, b := range f.Users {
		if u := c.Callhome.NamedUsers[b.Name]; u.FirstUsePassword {
			d.checkFirstUsePassword(b, c.Callhome.trusts(""))
		}
	}
}

func (d *decoder) checkFirstUsePassword(b userBlock, trusts []auth.Trust) {
	at := b.FirstUsePassword.Range
	switch {
	case b.Password == nil:
		d.problems.warn(at, "", "first_use_password has no effect: the user has no password")
	case !slices.Contains(trusts, auth.TrustFirstUse):
		d.problems.warn(at, "", `first_use_password has no effect unless trust is "first-use"`)
	default:
		d.problems.warn(at, "use a private key, which a device cannot steal", "the password of user %q is sent to devices whose keys nobody has checked", b.Name)
	}
}

// checkLogins finds calls that are accepted, and dropped for want of a user.
func (d *decoder) checkLogins(f fileSchema, c *Config) {
	if len(f.Callhome) == 0 { // a flag enables it
		f.Callhome = []callhomeBlock{{}}
	}
	b := f.Callhome[0]
	if !c.Enabled || d.problems.failedWithin(b.Body) {
		return
	}
	d.checkTransports(f, c)
	if c.Callhome.Hook != nil || len(c.Callhome.Users) > 0 || slices.ContainsFunc(b.listeners(), func(b listenerBlock) bool { return !emptyList(b.Users) }) {
		return
	}
	if slices.ContainsFunc(f.Sessions, func(b sessionBlock) bool { return b.User != nil }) {
		return
	}
	d.problems.warn(b.Def, `name user entries, as in users = ["fleet"], in the order in which they are tried`,
		"call home is enabled, but no user entry is named to log in to devices with: every call is dropped")
}

// checkTransports finds listeners for which no user entry has a credential.
func (d *decoder) checkTransports(f fileSchema, c *Config) {
	at := func(a *hcl.Attribute) hcl.Range {
		if a == nil {
			return f.Callhome[0].Def
		}
		return a.Range
	}
	for i, b := range f.Callhome[0].listeners() {
		l := c.Callhome.All()[i]
		if l.TLSPort != 0 && !slices.ContainsFunc(f.Users, userBlock.hasTLS) {
			d.problems.warn(at(b.TLSPort), "give a user a tls block with certificate and key, or set tls_port = 0", "no user can log in over TLS: every call on %s is dropped", callTLSPort(l.Name))
		}
		if l.Port != 0 && len(f.Users) > 0 && !slices.ContainsFunc(f.Users, userBlock.hasSSH) {
			d.problems.warn(at(b.Port), "give a user a username and a private_key, or set port = 0", "no user can log in over SSH: every call on %s is dropped", callPort(l.Name))
		}
	}
}
