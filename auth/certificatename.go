package auth

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCertificateName is the length in bytes of the longest name that a
// certificate can give: that of a domain name.
const maxCertificateName = 255

// NormalizeCertificateName returns the form in which names are compared: lower
// case, and IP addresses as netip prints them. It returns "", which no
// certificate has for a name, for what cannot be one: longer than 255 bytes, no
// UTF-8, or with characters that do not print.
func NormalizeCertificateName(name string) string {
	if !usableName(name) {
		return ""
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().String()
	}
	return lowerASCII(name)
}

// usableName reports whether a name from a certificate may be compared, logged
// and shown.
func usableName(name string) bool {
	return name != "" && len(name) <= maxCertificateName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// lowerASCII is strings.ToLower for ASCII alone: it makes no "k" of the Kelvin
// sign, which another's name could be written with.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
