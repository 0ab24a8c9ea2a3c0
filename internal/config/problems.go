package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Problems are the errors and warnings that were found in one file. It is an
// error when HasErrors says so. Secret values are not in it.
type Problems struct {
	name  string
	src   []byte
	masks []span
	list  []problem
}

type problem struct {
	warning bool
	// at is the zero Range for what has no place in the file.
	at   hcl.Range
	what string
	hint string
}

func newProblems(name string, src []byte) *Problems {
	return &Problems{name: name, src: src, masks: secrets(name, src)}
}

// HasErrors reports whether something is wrong enough not to start with.
func (p *Problems) HasErrors() bool {
	return slices.ContainsFunc(p.list, func(q problem) bool { return !q.warning })
}

// InFlags reports whether there is an error in Options.Flags. The file has none
// then.
func (p *Problems) InFlags() bool {
	return slices.ContainsFunc(p.list, func(q problem) bool { return q.at == onCommandLine })
}

// Error returns one line for each problem, without the source lines.
func (p *Problems) Error() string {
	lines := make([]string, len(p.list))
	for i, q := range p.list {
		lines[i] = p.heading(q) + q.advice()
	}
	return strings.Join(lines, "\n")
}

// Warnings returns a line for each warning, which does not say that it is one.
func (p *Problems) Warnings() []string {
	list := []string{}
	for _, q := range p.list {
		if q.warning {
			list = append(list, p.place(q.at)+": "+q.what+q.advice())
		}
	}
	return list
}

func (q problem) advice() string {
	if q.hint == "" {
		return ""
	}
	return ": " + q.hint
}

func (p *Problems) heading(q problem) string {
	return fmt.Sprintf("%s: %s: %s", p.place(q.at), q.severity(), q.what)
}

func (p *Problems) place(at hcl.Range) string {
	if at == onCommandLine {
		return at.Filename
	}
	if at.Start.Line == 0 {
		return p.name
	}
	return fmt.Sprintf("%s:%d:%d", p.name, at.Start.Line, at.Start.Column)
}

func (q problem) severity() string {
	if q.warning {
		return "warning"
	}
	return "error"
}

// fail adds an error. The hint says what to do, and may be empty.
func (p *Problems) fail(at hcl.Range, hint, format string, args ...any) {
	p.list = append(p.list, problem{at: at, hint: hint, what: fmt.Sprintf(format, args...)})
}

func (p *Problems) warn(at hcl.Range, hint, format string, args ...any) {
	p.list = append(p.list, problem{warning: true, at: at, hint: hint, what: fmt.Sprintf(format, args...)})
}

// missing adds an error about something that a block lacks, unless the block
// has a mistake that may well be the reason, such as a misspelt name.
func (p *Problems) missing(def hcl.Range, body hcl.Body, hint, format string, args ...any) {
	if !p.failedWithin(body) {
		p.fail(def, hint, format, args...)
	}
}

func (p *Problems) failedWithin(body hcl.Body) bool {
	type ranger interface{ Range() hcl.Range }
	b, ok := body.(ranger)
	return ok && slices.ContainsFunc(p.list, func(q problem) bool {
		return !q.warning && q.at.Start.Line > 0 && b.Range().ContainsPos(q.at.Start)
	})
}

// add takes over what hcl found.
func (p *Problems) add(diags hcl.Diagnostics) {
	for _, d := range diags {
		q := problem{warning: d.Severity == hcl.DiagWarning, what: lowerFirst(d.Summary), hint: d.Detail}
		if d.Subject != nil {
			q.at = *d.Subject
		}
		p.list = append(p.list, q)
	}
}

// sort puts the problems into the order of the file, and drops doubles.
func (p *Problems) sort() {
	slices.SortStableFunc(p.list, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.at.Start.Byte, b.at.Start.Byte), cmp.Compare(a.severity(), b.severity()), cmp.Compare(a.what, b.what))
	})
	p.list = slices.Compact(p.list)
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
