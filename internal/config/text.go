package config

import (
	"net/netip"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Secrets says how a text gives what must not be shown.
type Secrets uint8

const (
	// SecretsInText writes them as they are: the text is for Saved.
	SecretsInText Secrets = iota
	// SecretsLeftOut writes in their place where to read them from, with a
	// comment: the text is for a person, to be put into the file.
	SecretsLeftOut
)

// UserSpec is a user entry for devices that call over SSH.
type UserSpec struct {
	Name, Username string
	// Password and PrivateKey are left out where they are empty; the key is in
	// PEM or OpenSSH's format.
	Password, PrivateKey auth.Secret
}

// UserText returns the user block of it, in the canonical layout.
func UserText(u UserSpec, s Secrets) string {
	w := newTextWriter("user", u.Name, s)
	w.text("username", u.Username)
	w.secret("private_key", u.PrivateKey, "file", "keys/"+u.Name)
	w.secret("password", u.Password, "env", variable(u.Name, "PASSWORD"))
	return w.String()
}

// SessionText returns the session block that gives this entry and device, in the
// canonical layout. Of the device's User only the name is in it.
func SessionText(e callhome.Entry, device gateway.DeviceConfig, s Secrets) string {
	w := newTextWriter("session", e.Name, s)
	if e.Address.IsValid() {
		w.text("address", networkText(e.Address))
	}
	w.text("transport", string(e.Transport))
	w.pins(e.Pins)
	w.list("certificate_names", e.CertificateNames)
	w.list("host_principals", e.HostPrincipals)
	w.text("device_id", e.DeviceID)
	w.secret("device_secret", e.DeviceSecret, "env", variable(e.Name, "SECRET"))
	if e.LegacyAlgorithms {
		w.set("legacy_algorithms", cty.True)
	}
	w.text("listener", e.Listener)
	if e.User != nil {
		w.text("user", e.User.Name)
	}
	w.port("port", device.Port)
	w.port("tls_port", device.TLSPort)
	if device.Sessions != gateway.SessionsDefault {
		w.text("sessions", device.Sessions.String())
	}
	if device.IdleClose != 0 {
		w.text("idle_close", shortDuration(max(device.IdleClose, 0)))
	}
	w.hello(e.Hello)
	return w.String()
}

// textWriter writes one block. What is empty is left out.
type textWriter struct {
	file    *hclwrite.File
	body    *hclwrite.Body
	secrets Secrets
}

func newTextWriter(kind, name string, s Secrets) textWriter {
	file := hclwrite.NewEmptyFile()
	return textWriter{file: file, body: file.Body().AppendNewBlock(kind, []string{name}).Body(), secrets: s}
}

func (w textWriter) String() string { return string(w.file.Bytes()) }

func (w textWriter) set(name string, v cty.Value) { w.body.SetAttributeValue(name, v) }

func (w textWriter) text(name, value string) {
	if value != "" {
		w.set(name, cty.StringVal(value))
	}
}

func (w textWriter) list(name string, values []string) {
	var elements []cty.Value
	for _, s := range values {
		elements = append(elements, cty.StringVal(s))
	}
	if elements != nil {
		w.set(name, cty.ListVal(elements))
	}
}

func (w textWriter) port(name string, port uint16) {
	if port != 0 {
		w.set(name, cty.NumberUIntVal(uint64(port)))
	}
}

// secret writes a secret, or that the function reads it from there.
func (w textWriter) secret(name string, value auth.Secret, function, from string) {
	switch {
	case value == "":
	case w.secrets == SecretsInText:
		w.text(name, value.Reveal())
	default:
		w.body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(leftOut[function])}})
		w.body.SetAttributeRaw(name, hclwrite.TokensForFunctionCall(function, hclwrite.TokensForValue(cty.StringVal(from))))
	}
}

// leftOut is said of a secret, by the function that is to read it.
var leftOut = map[string]string{
	"env":  "# Not shown: set it in the environment of callhome-gateway.\n",
	"file": "# Not shown: put it into this file.\n",
}

// variable is an environment variable for a secret of the entry.
func variable(entry, what string) string {
	name := strings.ToUpper(strings.ReplaceAll(entry, "-", "_")) + "_" + what
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

func (w textWriter) pins(pins []auth.Identity) {
	var hostKeys, certificates, keys []string
	for _, pin := range pins {
		switch pin.Type {
		case auth.TypeCertificate:
			certificates = append(certificates, pin.Fingerprint)
		case auth.TypeCertificateKey:
			keys = append(keys, pin.Fingerprint)
		default:
			hostKeys = append(hostKeys, strings.TrimSpace(pin.Type+" "+pin.Fingerprint))
		}
	}
	w.list("host_keys", hostKeys)
	w.list("certificates", certificates)
	w.list("certificate_keys", keys)
}

func (w textWriter) hello(h callhome.HelloOptions) {
	if h.Base == nil && h.Capabilities == nil {
		return
	}
	w.body.AppendNewline()
	inner := textWriter{body: w.body.AppendNewBlock("hello", nil).Body()}
	inner.list("base", h.Base)
	inner.list("capabilities", h.Capabilities)
}

// networkText writes a network of one address as that.
func networkText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
