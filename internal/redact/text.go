package redact

import (
	"bytes"
	"regexp"

	"callhome-gateway/internal/netconf"
)

// textRun is the text between two tags.
type textRun struct {
	raw, value []byte
	plain      bool // raw is all of it
}

// take takes what s begins with: text, a comment, a CDATA section or a processing
// instruction. It returns its length, or -1 where its end is not there.
func (t *textRun) take(s []byte) int {
	if s[0] != '<' {
		n := bytes.IndexByte(s, '<')
		if n < 0 {
			n = len(s)
		}
		t.plain = t.plain && t.raw == nil
		t.raw = s[:n]
		if t.value == nil {
			t.value = netconf.Unescape(t.raw)
		} else {
			t.value = append(bytes.Clone(t.value), netconf.Unescape(t.raw)...)
		}
		return n
	}
	t.plain = false
	switch {
	case bytes.HasPrefix(s, []byte("<!--")):
		return through(s, 4, "-->")
	case bytes.HasPrefix(s, []byte("<![CDATA[")):
		n := through(s, 9, "]]>")
		if n > 0 {
			t.value = append(bytes.Clone(t.value), s[9:n-3]...)
		}
		return n
	}
	return through(s, 2, "?>")
}

// through returns how long s is up to the end mark, which is looked for from
// there on, or -1.
func through(s []byte, from int, end string) int {
	if len(s) < from {
		return -1
	}
	n := bytes.Index(s[from:], []byte(end))
	if n < 0 {
		return -1
	}
	return from + n + len(end)
}

// What looks like a secret wherever it stands.
var (
	// hashes are of crypt(3), of LDAP, and what Junos has for its own: $9$. The
	// password itself comes behind $0$ (RFC 7317).
	hashes = regexp.MustCompile(`\S*(\$(0|1|2[abxy]?|5|6|7|8|9|14|y|gy|md5|sha1|argon2\w*|pbkdf2[-\w]*|scrypt)\$|\{(S?SHA\d*|S?MD5|CRYPT)\})\S*`)
	keys   = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)
	// urls have a password in front of the host (RFC 3986 section 3.2.1).
	urls = regexp.MustCompile(`(://[^/?#\s:@]*:)[^/?#\s@]+@`)
	// commands are lines of a device's own language, where that comes as text, and
	// of JSON and XML as text. They have lost what stands behind the word.
	commands = regexp.MustCompile(`(?i)\b([\w-]*(?:password|passwd|passphrase|secret|token|private[-_]?key|api[-_]?key)[\w-]*|` +
		`community|key-string|key|psk|(?:pre-shared|authentication|auth|encryption|privacy)-key|ascii-text|hexadecimal|` +
		`auth[ \t]+(?:md5|sha[-\d]*)|priv[ \t]+(?:3?des|aes)[-\d]*)` + // SNMP
		`(\\*["']?[ \t]*[=:>]\s*|[ \t]+)[^\s].*`)
)

// hideValues returns a text without what looks like a secret: hashes, private
// keys, passwords in URLs, and, unless it is prose, the rest of a line behind a
// word that announces a secret. It returns the text itself where there is none.
func hideValues(text []byte, prose bool) []byte {
	if bytes.IndexByte(text, '$') >= 0 || bytes.IndexByte(text, '{') >= 0 {
		text = replace(hashes, text, Mark)
	}
	if bytes.Contains(text, []byte("-----BEGIN")) {
		text = replace(keys, text, Mark)
	}
	if bytes.Contains(text, []byte("://")) {
		text = replace(urls, text, "${1}"+Mark+"@")
	}
	if !prose && bytes.ContainsAny(bytes.TrimSpace(text), " \t=:>") {
		text = replace(commands, text, "${1}${2}"+Mark)
	}
	return text
}

func replace(what *regexp.Regexp, text []byte, with string) []byte {
	if !what.Match(text) {
		return text
	}
	return what.ReplaceAll(text, []byte(with))
}

var textEscapes = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#13;"}

func escape(text []byte) []byte {
	out := make([]byte, 0, len(text)+16)
	for _, c := range text {
		if e := textEscapes[c]; e != "" {
			out = append(out, e...)
		} else {
			out = append(out, c)
		}
	}
	return out
}
