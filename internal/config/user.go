package config

import (
	"slices"
	"strings"
	"unicode"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/crypto/ssh"
)

// userTable finds user entries. An entry with errors is in it as well, so that
// references to it are not reported too.
type userTable map[string]*auth.User

func (t userTable) names() []string {
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (t userTable) find(p *Problems, s item) *auth.User {
	u, ok := t[s.text]
	if !ok {
		p.fail(s.at, unknownUserHint(s.text, t.names()), "there is no user %q", s.text)
	}
	return u
}

func unknownUserHint(name string, names []string) string {
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	return "add a user block with that name"
}

func (d *decoder) users(blocks []userBlock) userTable {
	table := make(userTable)
	d.userBlocks = make(map[string]userBlock)
	names := newLabels("user")
	for _, b := range blocks {
		if u := d.user(b); names.check(d.problems, b.Name, b.NameRange) || table[b.Name] == nil {
			table[b.Name], d.userBlocks[b.Name] = u, b
		}
	}
	return table
}

func (d *decoder) user(b userBlock) *auth.User {
	u := &auth.User{Name: b.Name, Password: d.password(b.Password), TLS: d.userTLS(b)}
	u.Keys = d.userKeys(b)
	u.HostCA = d.hostCA(b)
	d.bool(b.FirstUsePassword, &u.FirstUsePassword)
	d.legacyAlgorithms(b.LegacyAlgorithms, &u.LegacyAlgorithms)
	if b.hasTLS() && !b.hasSSH() {
		return u // it is for TLS only
	}
	u.Username = d.username(b)
	if b.Password == nil && b.PrivateKey == nil && emptyList(b.PrivateKeys) {
		d.problems.missing(b.Def, b.Body, "set password or private_key, or add a tls block for devices that call over TLS", "user %q has nothing to log in with", b.Name)
	}
	return u
}

// legacyAlgorithms reads an exception for old devices, and warns of what it gives up.
func (d *decoder) legacyAlgorithms(a *hcl.Attribute, to *bool) {
	if d.bool(a, to); *to {
		d.problems.warn(a.Range, "set it for the devices alone that need it: device show tells what was negotiated", "SHA-1 and CBC are offered: who can alter the traffic of such a device may read it, log in as the gateway, or play the device")
	}
}

func (d *decoder) username(b userBlock) string {
	if b.Username == nil {
		d.problems.missing(b.Def, b.Body, "set username to what devices know the gateway as", "user %q has no username", b.Name)
		return ""
	}
	s, ok := d.string(b.Username)
	if ok && (s.text == "" || len(s.text) > 255 || strings.ContainsFunc(s.text, unicode.IsControl)) {
		d.problems.fail(s.at, "it is 1 to 255 characters, and none of them a control character", "%q cannot be a username", s.text)
	}
	return s.text
}

func (d *decoder) password(a *hcl.Attribute) auth.Secret {
	if a == nil {
		return ""
	}
	s, ok := d.secret(a.Expr)
	if ok && s.text == "" {
		d.problems.fail(s.at, "", "the %s is empty", a.Name)
	}
	return auth.Secret(s.text)
}

// userKeys returns the keys in the order in which they are offered.
func (d *decoder) userKeys(b userBlock) (keys []ssh.Signer) {
	passphrase := d.password(b.Passphrase)
	var texts []item
	if b.PrivateKey != nil {
		if s, ok := d.secret(b.PrivateKey.Expr); ok {
			texts = append(texts, s)
		}
	}
	if b.PrivateKeys != nil {
		texts = append(texts, d.elements(b.PrivateKeys, d.secret)...)
	}
	for _, s := range texts {
		// An unreadable passphrase is reported already; its key cannot be judged.
		if key := d.userKey(s, passphrase, b.Passphrase != nil && passphrase == ""); key != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

func (d *decoder) userKey(s item, passphrase auth.Secret, passphraseUnknown bool) ssh.Signer {
	key, err := parsePrivateKey([]byte(s.text), passphrase)
	if err == nil || passphraseUnknown && err.encrypted {
		return key
	}
	d.problems.fail(s.at, err.hint, "%s", err.what)
	return nil
}
