package config

import (
	"strings"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/crypto/ssh"
)

// hostCA decodes who vouches for devices over SSH; nil if the block is absent.
func (d *decoder) hostCA(b userBlock) *auth.HostCA {
	h := single(d.problems, "host_ca", b.HostCA, func(b hostCABlock) hcl.Range { return b.Def })
	if h == nil {
		return nil
	}
	ca := &auth.HostCA{Keys: d.caKeys(h.Keys)}
	if emptyList(h.Keys) {
		d.problems.missing(h.Def, h.Body, `set them to the public keys that sign the devices' host certificates, as in keys = [file("keys/host-ca.pub")]`, "host_ca has no keys")
	}
	word := ""
	d.choice(h.NameFrom, []string{"principal"}, &word)
	ca.NamesDevices = word != ""
	if s, ok := d.string(h.NameDomain); ok {
		ca.NameDomain = d.domain(s)
	}
	if h.NameDomain != nil && h.NameFrom == nil {
		d.problems.warn(h.NameDomain.Range, `set name_from = "principal"`, "name_domain has no effect without name_from")
	}
	return ca
}

func (b userBlock) hasHostCA() bool { return len(b.HostCA) > 0 }

// caKeys reads the keys of SSH CAs, given one by one or as whole files of them.
func (d *decoder) caKeys(a *hcl.Attribute) (keys []ssh.PublicKey) {
	for _, s := range d.list(a) {
		of, err := parseAuthorizedKeys(caLines(s.text))
		if err != nil {
			d.problems.fail(s.at, err.hint, "%s", err.what)
		}
		keys = append(keys, of...)
	}
	return keys
}

// caLines takes the markers off with which authorized_keys and known_hosts
// files show that a key is a CA's. Options and host names stay, and are refused:
// to ignore a restriction would open a door.
func caLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, marker := range []string{"cert-authority ", "@cert-authority * "} {
			line = strings.TrimPrefix(line, marker)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
