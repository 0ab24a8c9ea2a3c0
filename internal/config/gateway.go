package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/crypto/ssh"
)

func (d *decoder) gateway(c *Config, blocks []gatewayBlock, f fileSchema) {
	g := &c.Gateway
	g.Address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	b := single(d.problems, "gateway", blocks, func(b gatewayBlock) hcl.Range { return b.Def })
	if b == nil {
		b = &gatewayBlock{}
	}
	d.listenAddress(b.Address, &g.Address)
	d.port(b.Port, 0, &g.Port)
	d.port(b.TLSPort, 0, &g.TLSPort)
	g.Ports = d.portRange(b.Ports)
	g.HostKeys = d.hostKeys(b.HostKeys)
	d.duration(b.Wait, 0, time.Hour, &g.Wait)
	d.duration(b.HelloTimeout, time.Second, time.Hour, &g.HelloTimeout)
	d.duration(b.LoginTimeout, time.Second, time.Hour, &g.LoginTimeout)
	d.duration(b.StallTimeout, time.Second, time.Hour, &g.StallTimeout)
	d.duration(b.DrainTimeout, 0, time.Hour, &c.DrainTimeout)
	d.int(b.MaxLogins, 1, 1<<16, &g.MaxLogins)
	d.int(b.MaxSessions, 1, 1<<16, &g.MaxSessions)
	d.networkRules(b.Allow, b.Deny, &g.Networks)
	d.proxies(b.Proxies, &g.Proxies)
	d.sources(b.SourceBitsV4, b.SourceBitsV6, b.ExemptSources, &g.Sources)
	if g.UserCAs = d.caKeys(b.UserCA); b.UserCA != nil && emptyList(b.UserCA) {
		d.problems.fail(b.UserCA.Range, "leave it out to trust no CA", "user_ca is empty")
	}
	d.messageSizes(g, b)
	d.gatewayTLS(c, b, f)
}

// messageSizes also checks that the largest request fits into the budget: it
// would never be served otherwise.
func (d *decoder) messageSizes(g *gateway.Options, b *gatewayBlock) {
	message, budget := int64(gateway.DefaultMaxMessage), int64(gateway.DefaultSpoolBudget)
	d.size(b.MaxMessage, 1<<10, 1<<40, &message)
	d.size(b.SpoolBudget, 1<<10, 1<<50, &budget)
	if message > budget {
		at := b.SpoolBudget
		if at == nil {
			at = b.MaxMessage
		}
		d.problems.fail(at.Expr.Range(), "raise spool_budget or lower max_message", "one request of max_message (%s) is larger than spool_budget (%s)", shortSize(message), shortSize(budget))
	}
	g.MaxMessage, g.SpoolBudget = message, budget
}

func (d *decoder) portRange(a *hcl.Attribute) (r gateway.PortRange) {
	s, ok := d.string(a)
	if !ok {
		return r
	}
	low, high, _ := strings.Cut(s.text, "-")
	first, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	switch {
	case err1 != nil || err2 != nil || first == 0:
		d.problems.fail(s.at, `as in "20000-29999", with ports from 1 to 65535`, "%q is not a range of ports", s.text)
		return r
	case first > last:
		d.problems.fail(s.at, fmt.Sprintf(`write "%d-%d"`, last, first), "the first port of the range is higher than the last")
		return r
	}
	return gateway.PortRange{First: uint16(first), Last: uint16(last)}
}

func (d *decoder) hostKeys(a *hcl.Attribute) (keys []ssh.Signer) {
	types := make(map[string]bool)
	complete := true
	for _, s := range d.list(a) {
		key := d.hostKey(s)
		switch {
		case key == nil:
			complete = false
		case types[key.PublicKey().Type()]:
			d.problems.fail(s.at, "the endpoints show one key of each type", "there are two host keys of type %s", key.PublicKey().Type())
		default:
			types[key.PublicKey().Type()] = true
			keys = append(keys, key)
		}
	}
	if complete && len(keys) == 1 && types[ssh.KeyAlgoRSA] {
		d.problems.warn(a.Expr.Range(), "add an ed25519 or ecdsa key: ssh-keygen -t ed25519 -N '' -f FILE", "the only host key is an RSA one, which some managers (yangcli) cannot use")
	}
	return keys
}

func (d *decoder) hostKey(s item) ssh.Signer {
	f, err := readFile(d.path(s.text))
	if err != nil {
		d.fault(s.at, err)
		return nil
	}
	d.warnExposed(s.at, f)
	key, bad := parsePrivateKey(f.content, "")
	switch {
	case bad != nil && bad.encrypted:
		d.problems.fail(s.at, "nobody is there to type its passphrase: remove it with ssh-keygen -p -N '' -f FILE", "%s: the host key is encrypted", f.path)
		return nil
	case bad != nil:
		d.problems.fail(s.at, "it must be a whole key file in OpenSSH's format or PEM, as ssh-keygen writes it", "%s: %s", f.path, bad.what)
		return nil
	}
	return key
}

// checkReachable warns where no manager can reach any device.
func (d *decoder) checkReachable(f fileSchema, c *Config) {
	var at hcl.Range
	if len(f.Gateway) > 0 {
		b := f.Gateway[0]
		if b.Ports != nil || c.Gateway.Port != 0 || c.Gateway.TLSPort != 0 || d.problems.failedWithin(b.Body) {
			return
		}
		at = b.Def
	}
	if slices.ContainsFunc(f.Sessions, func(b sessionBlock) bool { return b.Port != nil || b.TLSPort != nil }) {
		return
	}
	d.problems.warn(at, `set port (one for all devices) or ports (one for each, as in "20000-29999") in the gateway block, or port in a session`, "there is no port for managers: no device can be reached")
}
