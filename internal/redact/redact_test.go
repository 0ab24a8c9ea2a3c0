package redact

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"callhome-gateway/internal/netconf"
)

func redactor(t testing.TB, names ...string) *Redactor {
	t.Helper()
	r, err := New(names)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSecretsAreLeftOut(t *testing.T) {
	const pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----"
	for name, test := range map[string]struct{ in, want string }{
		"nothing":             {`<a b="c">d &lt; e</a>`, `<a b="c">d &lt; e</a>`},
		"a password":          {"<password>x</password>", "<password>[redacted]</password>"},
		"empty":               {"<password/><password></password>", "<password/><password></password>"},
		"under a prefix":      {`<p:Auth_Password xmlns:p="u">x</p:Auth_Password>`, `<p:Auth_Password xmlns:p="u">[redacted]</p:Auth_Password>`},
		"with all inside":     {"<secret><a>x</a><secret>y</secret>z<b/></secret><c>d</c>", "<secret>[redacted]</secret><c>d</c>"},
		"a nested one":        {"<key><key/></key>", "<key>[redacted]</key>"},
		"its attributes":      {`<secret a="b" xmlns="u" nc:operation='replace' operation="x"/>`, `<secret a="[redacted]" xmlns="u" nc:operation='replace' operation="[redacted]"/>`},
		"an attribute":        {`<user name="u" password = 'x>y' n=""/>`, `<user name="u" password = '[redacted]' n=""/>`},
		"a hash":              {"<a>$6$salt$hash</a>", "<a>[redacted]</a>"},
		"a hash of Junos":     {`<a b="&#x24;9$abc"/>`, `<a b="[redacted]"/>`},
		"a hash in pieces":    {"<a>&#36;6<!-- -->$<![CDATA[salt]]></a>", "<a>[redacted]</a>"},
		"a hash among words":  {"<a>user x $1$abc end</a>", "<a>user x [redacted] end</a>"},
		"of LDAP":             {"<a>{SSHA}abc</a>", "<a>[redacted]</a>"},
		"a price":             {"<a>$5 and {x}</a>", "<a>$5 and {x}</a>"},
		"a private key":       {"<a>x " + pem + " y</a>", "<a>x [redacted] y</a>"},
		"half a private key":  {"<a>" + pem[:40] + "</a>", "<a>[redacted]</a>"},
		"a public key":        {"<public-key>AAAA</public-key>", "<public-key>AAAA</public-key>"},
		"commands":            {"<a>no shutdown\n enable secret 5 abc\nsnmp-server community public RO\nend</a>", "<a>no shutdown\n enable secret [redacted]\nsnmp-server community [redacted]\nend</a>"},
		"commands in CDATA":   {"<a><![CDATA[a < b\npassword = x]]></a>", "<a>a &lt; b\npassword = [redacted]</a>"},
		"CDATA":               {"<a><![CDATA[b < c]]></a>", "<a>b &lt; c</a>"},
		"JSON":                {`<a>{"x":"y", "m:password": "z"}</a>`, `<a>{"x":"y", "m:password": [redacted]</a>`},
		"JSON in JSON":        {`<a>"{\"api_key\":\"z\"}"</a>`, `<a>"{\"api_key\":[redacted]</a>`},
		"XML as text":         {"<a><![CDATA[<b>c</b>\n<secret>\n z</secret>\n]]></a>", "<a>&lt;b&gt;c&lt;/b&gt;\n&lt;secret&gt;\n [redacted]\n</a>"},
		"a user of SNMP":      {"<a>user x auth sha y priv aes 128 z\nend</a>", "<a>user x auth sha [redacted]\nend</a>"},
		"a URL":               {"<url>sftp://x:y@host/a?b@c</url>", "<url>sftp://x:[redacted]@host/a?b@c</url>"},
		"a URL without":       {"<url>sftp://x@host:22/a:b@c</url>", "<url>sftp://x@host:22/a:b@c</url>"},
		"a hash in an error":  {"<error-message>password $6$x$y is old</error-message>", "<error-message>password [redacted] is old</error-message>"},
		"an error":            {"<error-message>password too short</error-message>", "<error-message>password too short</error-message>"},
		"a comment":           {"<a>b<!-- x -->c<?x y?></a>", "<a>bc</a>"},
		"white space":         {"<a>\n  <b/>\n</a>", "<a>\n  <b/>\n</a>"},
		"SNMP":                {"<community><text-name>x</text-name></community>", "<community>[redacted]</community>"},
		"a configured name":   {"<Wifi-Name>x</Wifi-Name><wifi>y</wifi>", "<Wifi-Name>[redacted]</Wifi-Name><wifi>y</wifi>"},
		"a key of a keystore": {"<cleartext-private-key>x</cleartext-private-key>", "<cleartext-private-key>[redacted]</cleartext-private-key>"},
	} {
		t.Run(name, func(t *testing.T) {
			const head, end = `<?xml version="1.0"?><rpc xmlns:nc="urn:n">`, "</rpc>"
			r := redactor(t, "wifi-*")
			got, whole := r.Append([]byte("> "), []byte(head+test.in+end+"\n"), 1<<20)
			if want := "> " + head + test.want + end; string(got) != want || !whole {
				t.Errorf("%t, %s\nnot %s", whole, got, want)
			}
		})
	}
}

func TestWhatIsKnownAsASecret(t *testing.T) {
	r := redactor(t)
	for _, name := range strings.Fields(`password encrypted-password Password hashed-password password-hashed plain-text-password-value
		simple-password auth-password authPassword priv-password secret shared-secret secret-key SharedSecret client-secret
		passphrase private-key privateKey cleartext-private-key cleartext-key cleartext-symmetric-key cleartext-password
		encrypted-value crypt-hash pre-shared-key pre_shared_key psk wpa-psk authentication-key auth-key encryption-key
		key key-string hexadecimal-string ascii-text community community-name text-name binary-name md5-key token otp pin`) {
		if !r.secret([]byte(name)) {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range strings.Fields(`name public-key key-id host-key key-name algorithm certificate communities community-set
		interface pinning tokens-per-second user-name mac-address keyboard`) {
		if r.secret([]byte(name)) {
			t.Errorf("%s is hidden", name)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for _, name := range []string{"", "[", `a\`} {
		if _, err := New([]string{name}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// Of what is not well-formed, or was cut, only what is sure is shown.
func TestBrokenMessages(t *testing.T) {
	for in, want := range map[string]string{
		"<a><b>c</b><b>d":                   "<a><b>c</b><b>",
		"<a>b</c>d</a>":                     "<a>", // whatever b was to be
		"<a><password>x":                    "<a><password>[redacted]",
		"<a><password>":                     "<a><password>[redacted]",
		"<a><password>x<b":                  "<a><password>[redacted]",
		"<a><b/><!-- c":                     "<a><b/>",
		"<a><b/><password c='":              "<a><b/>",
		"<a><password>x</b></password></a>": "<a><password>[redacted]",
		"no XML":                            "",
		"":                                  "",
	} {
		if got, whole := redactor(t).Append(nil, []byte(in), 1<<20); string(got) != want || whole {
			t.Errorf("%s: %t, %s", in, whole, got)
		}
	}
}

func TestCutAtTheLimit(t *testing.T) {
	const in = `<a x="1">öäü &amp; x<password>y</password>end password z</a>`
	const want = `<a x="1">öäü &amp; x<password>[redacted]</password>end password [redacted]</a>`
	for limit := range len(want) + 2 {
		got, whole := redactor(t).Append(nil, []byte(in), limit)
		switch {
		case whole != (limit >= len(want)), len(got) > limit, !strings.HasPrefix(want, string(got)), !utf8.Valid(got):
			t.Errorf("%d: %t, %s", limit, whole, got)
		case strings.HasSuffix(string(got), "&"), strings.HasSuffix(string(got), "&amp"), strings.HasSuffix(string(got), "[redacted"):
			t.Errorf("%d: it ends in the middle: %s", limit, got)
		}
	}
}

// FuzzRedact puts a secret that is unlike all else wherever the document has a
// secret's element. The Checker says what is inside of one: the input is cut into
// pieces, and a piece that is in a secret element must not be shown.
func FuzzRedact(f *testing.F) {
	for _, doc := range []string{
		"<a><password>@</password></a>", `<a><p:secret xmlns:p="u">@<b>@</b><!-- @ --></p:secret></a>`,
		"<a><password b='@'>@<![CDATA[@]]><?x @?></password></a>", "<a><key><key>@</key>@</key></a>", "<key>@", "<a>&#64;<key>@</a>",
	} {
		f.Add(doc, 1000)
	}
	f.Fuzz(func(t *testing.T, doc string, limit int) {
		const token = "QqSeCrEtqQ"
		if limit < 0 || strings.Contains(doc, token) {
			return
		}
		planted := plant(doc, token)
		got, whole := redactor(t).Append(nil, []byte(planted), limit)
		if strings.Contains(string(got), token) {
			t.Errorf("%q is shown of %q", got, planted)
		}
		if len(got) > limit {
			t.Errorf("%d bytes are more than %d", len(got), limit)
		}
		if c := netconf.NewChecker(); whole {
			_, err := c.Write(got)
			if err == nil {
				_, err = c.Finish()
			}
			if err != nil {
				t.Errorf("%q has become %q: %v", planted, got, err)
			}
		}
	})
}

// plant replaces each "@" by the token where it is inside of an element that is
// a secret, as encoding/xml sees it, and removes it elsewhere.
func plant(doc, token string) string {
	var out strings.Builder
	for i := 0; i < len(doc); i++ {
		if doc[i] != '@' {
			out.WriteByte(doc[i])
		} else if insideSecret(doc[:i]) {
			out.WriteString(token)
		}
	}
	return out.String()
}

// insideSecret reports whether an element with the name of a secret is open where
// the text ends.
func insideSecret(before string) bool {
	d := xml.NewDecoder(strings.NewReader(before))
	depth := 0
	for {
		token, err := d.RawToken()
		if err != nil {
			return depth > 0
		}
		switch e := token.(type) {
		case xml.StartElement:
			if depth > 0 || e.Name.Local == "password" || e.Name.Local == "secret" || e.Name.Local == "key" {
				depth++
			}
		case xml.EndElement:
			depth = max(0, depth-1)
		}
	}
}
