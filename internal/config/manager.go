package config

import (
	"fmt"
	"regexp"
	"strings"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// weakCost is what a stolen hash can be guessed from with little effort.
const weakCost = 10

func (d *decoder) managers(c *Config, f fileSchema) {
	names, certificates, userCA := newLabels("manager"), newCertificateNames(f), f.trustsUserCA()
	for _, b := range f.Managers {
		names.check(d.problems, b.Name, b.NameRange)
		m := d.manager(b)
		m.CertificateNames = certificates.of(d, b)
		m.Principals = d.principals(b, userCA)
		if b.PasswordHash == nil && emptyList(b.AuthorizedKeys) && !userCA && !certificates.mayGive(d, b) {
			d.problems.missing(b.Def, b.Body, "set password_hash (from callhome-gateway hash-password) or authorized_keys, set user_ca in the gateway block, or map a certificate to it with cert_to_name", "manager %q has no way to log in", b.Name)
		}
		c.Gateway.Managers = append(c.Gateway.Managers, m)
	}
}

func (d *decoder) manager(b managerBlock) auth.Manager {
	m := auth.Manager{Name: b.Name, PasswordHash: d.passwordHash(b.PasswordHash), AuthorizedKeys: d.authorizedKeys(b.AuthorizedKeys), Devices: d.deviceGlobs(b), Access: d.access(b)}
	if b.Password != nil {
		d.problems.fail(b.Password.NameRange, "set password_hash to what callhome-gateway hash-password prints", "the password of a manager is not kept, only its hash")
	}
	return m
}

var bcryptPattern = regexp.MustCompile(`^\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

func (d *decoder) passwordHash(a *hcl.Attribute) string {
	s, ok := d.string(a)
	if !ok {
		return ""
	}
	hash := strings.TrimSpace(s.text)
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case err != nil || !bcryptPattern.MatchString(hash):
		d.problems.fail(s.at, "make one with callhome-gateway hash-password", "this is not a bcrypt hash")
	case cost > auth.MaxHashCost:
		d.problems.fail(s.at, "make one of cost 12 with callhome-gateway hash-password", "the bcrypt cost of %d is too high: a login would take many seconds of CPU (the most is %d)", cost, auth.MaxHashCost)
	case cost < weakCost:
		d.problems.warn(s.at, "make one of cost 12 with callhome-gateway hash-password", "a bcrypt cost of %d is quick to guess", cost)
	}
	return hash
}

func (d *decoder) authorizedKeys(a *hcl.Attribute) (keys []ssh.PublicKey) {
	for _, s := range d.list(a) {
		of, err := parseAuthorizedKeys(s.text)
		if err != nil {
			d.problems.fail(s.at, err.hint, "%s", err.what)
		}
		keys = append(keys, of...)
	}
	return keys
}

// parseAuthorizedKeys reads one public key, or a whole file of them.
func parseAuthorizedKeys(text string) (keys []ssh.PublicKey, _ *keyError) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := parsePublicKey(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, &keyError{what: "there is no public key in it"}
	}
	return keys, nil
}

var globPattern = regexp.MustCompile(`^[a-z0-9*?-]{1,63}$`)

func (d *decoder) deviceGlobs(b managerBlock) (globs []string) {
	for _, s := range d.list(b.Devices) {
		if !globPattern.MatchString(s.text) {
			d.problems.fail(s.at, globHint(s.text), "%q matches no device name", s.text)
			continue
		}
		globs = append(globs, s.text)
	}
	if emptyList(b.Devices) && !d.problems.failedWithin(b.Body) {
		d.problems.warn(b.Def, `name them or use globs, as in devices = ["edge-*"]; devices = ["*"] is all`, "manager %q reaches no device", b.Name)
	}
	return globs
}

func globHint(glob string) string {
	if lower := strings.ToLower(glob); globPattern.MatchString(lower) {
		return fmt.Sprintf("names are in lower case: %q", lower)
	}
	return "a glob is a name in which * stands for any number of characters and ? for one"
}
