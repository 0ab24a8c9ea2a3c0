package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"callhome-gateway/internal/audit"

	"github.com/hashicorp/hcl/v2"
)

const (
	// defaultBodyLimit is what is written of a request, in bytes, unless
	// body_limit says otherwise.
	defaultBodyLimit = 16 << 10
	// maxBodyLimit: every request that waits for its reply holds as much in memory.
	maxBodyLimit = 1 << 20
)

func (d *decoder) audit(c *Config, blocks []auditBlock) {
	b := single(d.problems, "audit", blocks, func(b auditBlock) hcl.Range { return b.Def })
	if b == nil {
		return
	}
	d.required(b.Def, b.Body, b.File, "file", `as in file = "/var/log/callhome-gateway/audit.log"; nothing is written without`)
	c.Audit = audit.Options{File: d.auditFile(b.File), BodyLimit: d.bodyLimit(b), Redact: d.redact(b.Redact)}
	d.auditBodies(b, &c.Audit)
	word := "continue"
	d.choice(b.OnFailure, []string{"continue", "stop"}, &word)
	c.Audit.Stop = word == "stop"
}

// auditFile returns the path. The file itself need not be there.
func (d *decoder) auditFile(a *hcl.Attribute) string {
	s, ok := d.string(a)
	switch {
	case !ok:
		return ""
	case s.text == "":
		d.problems.fail(s.at, "leave the audit block out to have no audit", "file is empty")
		return ""
	case isContents(s.text):
		d.fault(s.at, errContents)
		return ""
	}
	path := d.path(s.text)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		d.problems.fail(s.at, "", "cannot write to %s: it is not a regular file", path)
	}
	d.auditDirectory(s.at, filepath.Dir(path))
	return path
}

// auditDirectory: who can write to the directory can put another file there.
func (d *decoder) auditDirectory(at hcl.Range, dir string) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		d.fault(at, &absentError{what: fmt.Sprintf("the audit file cannot be in %s: %s", dir, cause(err)), hint: "make the directory, and let the user that callhome-gateway runs as write to it"})
	case info.Mode().Perm()&0o002 != 0 && !d.offline:
		d.problems.warn(at, fmt.Sprintf("chmod o-w %s, or choose another directory", dir), "every user of this machine can write to %s, and so hide or replace the audit", dir)
	}
}

func (d *decoder) auditBodies(b *auditBlock, to *audit.Options) {
	for _, s := range d.list(b.Bodies) {
		if s.text == "*" {
			to.AllBodies = true
			continue
		}
		if op, ok := d.operation(s); ok {
			to.Bodies = append(to.Bodies, op)
		}
	}
	if to.AllBodies || to.Bodies != nil {
		d.problems.warn(b.Bodies.Range, "let nobody else read the file, and name in redact what else is secret in your models", "the text of requests is written to the audit: only what is known to be secret is left out")
	}
}

func (d *decoder) bodyLimit(b *auditBlock) int {
	limit := int64(defaultBodyLimit)
	d.size(b.BodyLimit, 1<<10, maxBodyLimit, &limit)
	if b.BodyLimit != nil && emptyList(b.Bodies) {
		d.problems.warn(b.BodyLimit.Range, `name the operations of which it shall be written, as in bodies = ["edit-config"]`, "body_limit has no effect without bodies")
	}
	return int(limit)
}

// elementPattern has no bound in it: such classes counted out take 10 MiB and
// 10 ms at every start.
var elementPattern = regexp.MustCompile(`^[\pL_*?][\pL\pN\pM_.*?-]*$`)

// elementName reports whether it is a name, or a pattern of one.
func elementName(s string) bool { return len(s) <= 255 && elementPattern.MatchString(s) }

// redact reads names of XML elements, or patterns, which count in any namespace.
func (d *decoder) redact(a *hcl.Attribute) (names []string) {
	for _, s := range d.list(a) {
		if !elementName(s.text) {
			d.problems.fail(s.at, elementHint(s.text), "%.80q is not the name of an element", s.text)
			continue
		}
		names = append(names, s.text)
	}
	return names
}

func elementHint(name string) string {
	if local := name[strings.LastIndexAny(name, ":}")+1:]; local != name && elementName(local) {
		return fmt.Sprintf("it counts in every namespace: write %q", local)
	}
	return `as in "pre-shared-key", without < and >`
}
