package redact

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"callhome-gateway/internal/netconf"
)

// Names of secrets, in lower case and without "-", "_" and ".": in YANG modules
// of the IETF (ietf-system, ietf-snmp, ietf-keystore, ietf-key-chain, RADIUS and
// TACACS+), of OpenConfig, and in those of vendors. What has more in it than a
// secret is left out all the same.
var (
	partOfSecrets = []string{
		"password", "passwd", "passphrase", "passcode", "secret", "privatekey", "privkey", "presharedkey", "sharedkey",
		"cleartext", "encryptedvalue", "crypthash", "hashedkey", "keystring", "symmetrickey", "masterkey",
		"authkey", "authenticationkey", "authorizationkey", "encryptionkey", "encryptkey", "privacykey", "localizedkey",
		"hmackey", "wpakey", "wepkey", "md5key", "radiuskey", "tacacskey", "apikey", "hexkey",
		"accesstoken", "authtoken", "bearertoken", "refreshtoken",
	}
	secrets = []string{
		"key", "pwd", "pass", "token", "otp", "pin",
		"community", "communityname", "communitystring", "snmpcommunity", "textname", "binaryname", // of ietf-snmp, too
		"asciitext", "hexadecimal", "hexadecimalstring", // of Junos and ietf-key-chain
		"authpass", "privpass",
	}
	endOfSecrets = "psk"
)

// New returns a Redactor to which elements and attributes are secret whose local
// names match one of the patterns, besides those that always are. A pattern is
// one of path.Match, and upper and lower case are the same.
func New(names []string) (*Redactor, error) {
	r := &Redactor{}
	for _, name := range names {
		if _, err := path.Match(name, ""); err != nil || name == "" {
			return nil, fmt.Errorf("%q is no pattern for names of elements", name)
		}
		r.globs = append(r.globs, strings.ToLower(name))
	}
	return r, nil
}

// secret reports whether a local name is that of a secret.
func (r *Redactor) secret(local []byte) bool {
	lower := bytes.ToLower(local)
	for _, glob := range r.globs {
		if ok, _ := path.Match(glob, string(lower)); ok {
			return true
		}
	}
	bare := bytes.Map(func(c rune) rune {
		if c == '-' || c == '_' || c == '.' {
			return -1
		}
		return c
	}, lower)
	return slices.Contains(secrets, string(bare)) || bytes.HasSuffix(bare, []byte(endOfSecrets)) ||
		slices.ContainsFunc(partOfSecrets, func(part string) bool { return bytes.Contains(bare, []byte(part)) })
}

// tag returns a start tag without what is secret in its attributes. Those of an
// element that is a secret are secret, but for declarations of namespaces and
// what is to be done with it (RFC 6241 section 7.2).
func (r *Redactor) tag(tag []byte, secret bool) []byte {
	var out []byte
	done := 0
	for pos := 0; ; {
		open := bytes.IndexAny(tag[pos:], `"'`)
		if open < 0 {
			break
		}
		open += pos
		end := open + 1 + bytes.IndexByte(tag[open+1:], tag[open])
		pos = end + 1
		if r.shows(attributeName(tag[:open]), tag[open+1:end], secret) {
			continue
		}
		out = append(append(out, tag[done:open+1]...), Mark...)
		done = end
	}
	if done == 0 {
		return tag
	}
	return append(out, tag[done:]...)
}

// attributeName returns the qualified name of the attribute whose value follows s.
func attributeName(s []byte) []byte {
	s = bytes.TrimRight(s, " \t\r\n=")
	return s[bytes.LastIndexAny(s, " \t\r\n\"'")+1:]
}

// shows reports whether an attribute can be shown.
func (r *Redactor) shows(name, value []byte, secret bool) bool {
	prefix, local, found := bytes.Cut(name, []byte(":"))
	if !found {
		prefix, local = nil, name
	}
	switch {
	case string(name) == "xmlns", string(prefix) == "xmlns":
		return true
	case secret && string(local) == "operation":
		return slices.Contains([]string{"merge", "replace", "create", "delete", "remove"}, string(value))
	case secret, r.secret(local):
		return false
	}
	text := netconf.Unescape(value)
	return bytes.Equal(hideValues(text, false), text)
}
