package config

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"callhome-gateway/auth"

	"github.com/hashicorp/hcl/v2"
)

// Hook is what is asked for the user entry of calls that no session entry
// matches by its address: a command or an HTTP endpoint.
type Hook struct {
	// Command is a program, by its path as seen from the process, and its
	// arguments; nil where URL is set.
	Command []string
	// URL is of http or https.
	URL *url.URL
	// CA vouches for an https endpoint instead of the system's CAs, unless nil.
	CA *x509.CertPool
	// Authorization is the header of that name, unless empty.
	Authorization auth.Secret
	// Timeout is for one question, the wait for its turn included.
	Timeout time.Duration
	// Continue says that a failure counts as no opinion; otherwise the call is
	// rejected.
	Continue bool
	// MaxRunning bounds the questions that are asked at a time.
	MaxRunning int
}

func (d *decoder) hook(blocks []userSelectBlock) *Hook {
	b := single(d.problems, "user_select", blocks, func(b userSelectBlock) hcl.Range { return b.Def })
	if b == nil {
		return nil
	}
	h := &Hook{Timeout: 5 * time.Second, MaxRunning: 16}
	d.duration(b.Timeout, 100*time.Millisecond, 30*time.Second, &h.Timeout)
	d.int(b.MaxRunning, 1, 1024, &h.MaxRunning)
	word := "reject"
	d.choice(b.OnError, []string{"reject", "continue"}, &word)
	h.Continue = word == "continue"
	switch {
	case b.Command != nil && b.URL != nil:
		d.problems.fail(b.URL.Range, "leave one of them out", "command and url: one of them is asked")
	case b.Command == nil && b.URL == nil:
		d.problems.missing(b.Def, b.Body, `set command = ["/path/of/program", "argument"] or url = "https://…"`, "there is nothing to ask for the user")
	}
	h.Command = d.hookCommand(b.Command)
	h.URL = d.hookURL(b.URL)
	d.hookClient(h, b)
	return h
}

func (d *decoder) hookCommand(a *hcl.Attribute) (command []string) {
	for i, s := range d.list(a) {
		if i == 0 {
			command = append(command, d.program(s))
			continue
		}
		if strings.ContainsRune(s.text, 0) {
			d.problems.fail(s.at, "", "an argument cannot have a zero byte")
		}
		command = append(command, s.text)
	}
	if a != nil && emptyList(a) {
		d.problems.fail(a.Range, `as in command = ["/path/of/program", "argument"]`, "command is empty")
	}
	return command
}

// program checks what is going to be run: it is not looked for in PATH, so that
// nobody else's of the same name is.
func (d *decoder) program(s item) string {
	path := d.path(s.text)
	info, err := os.Stat(path)
	switch {
	case s.text == "":
		d.problems.fail(s.at, `as in command = ["/path/of/program", "argument"]`, "the program has no name")
	case isContents(s.text):
		d.fault(s.at, errContents)
	case err != nil:
		d.fault(s.at, &absentError{what: fmt.Sprintf("cannot run %s: %s", path, cause(err)), hint: "give its path; relative ones start at the directory of the configuration file, and PATH plays no part"})
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		d.fault(s.at, &absentError{what: fmt.Sprintf("cannot run %s: it is not an executable file", path), hint: fmt.Sprintf("chmod +x %s", path)})
	case info.Mode().Perm()&0o002 != 0 && !d.offline:
		d.problems.warn(s.at, fmt.Sprintf("chmod o-w %s", path), "every user of this machine can change %s, which runs as the gateway", path)
	}
	return path
}

func (d *decoder) hookURL(a *hcl.Attribute) *url.URL {
	s, ok := d.string(a)
	if !ok {
		return nil
	}
	u, err := url.Parse(s.text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		d.problems.fail(s.at, `as in "https://inventory.example.net/select"`, "this is not a URL of http or https")
		return nil
	case u.User != nil:
		d.problems.fail(s.at, `set authorization, as in authorization = env("HOOK_AUTHORIZATION")`, "a URL with a username shows its password in logs")
	case u.Scheme == "http" && !local(u.Hostname()):
		d.problems.warn(s.at, "use https", "over http anybody on the way to %s can say which user a device gets", u.Hostname())
	}
	return u
}

// local reports whether what is sent to the host stays on this machine.
func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// hookClient decodes what is for url only.
func (d *decoder) hookClient(h *Hook, b *userSelectBlock) {
	for _, a := range []*hcl.Attribute{b.CA, b.Authorization} {
		if a != nil && b.URL == nil && b.Command != nil {
			d.problems.fail(a.NameRange, "leave it out", "%s is for url: a command has no use for it", a.Name)
		}
	}
	if b.CA != nil {
		if h.URL != nil && h.URL.Scheme != "https" {
			d.problems.warn(b.CA.Range, "use https", "ca has no effect on a URL of http")
		}
		h.CA = d.pool(b.CA)
	}
	h.Authorization = d.password(b.Authorization)
	if s := h.Authorization.Reveal(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		d.problems.fail(b.Authorization.Expr.Range(), `it is one line, as in "Bearer …"`, "authorization cannot be the value of an HTTP header")
	}
}

func (d *decoder) pool(a *hcl.Attribute) *x509.CertPool {
	cas := d.certificates(a)
	if cas == nil {
		return nil
	}
	pool := x509.NewCertPool()
	for _, ca := range cas {
		pool.AddCert(ca)
	}
	return pool
}
