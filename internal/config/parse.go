package config

import (
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// parse returns the body of a file that is good HCL. Attributes that are set
// twice do not stop the other checks.
func (p *Problems) parse() (hcl.Body, bool) {
	if !p.harmless() {
		return nil, false
	}
	file, diags := hclsyntax.ParseConfig(p.src, p.name, hcl.InitialPos)
	p.add(untilOpenString(diags))
	broken := slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary != "Attribute redefined" })
	return file.Body, !broken
}

// maxNesting bounds brackets in brackets.
const maxNesting = 100

// hugeExponent matches numbers that nothing here needs.
var hugeExponent = regexp.MustCompile(`[eE][+-]?[0-9]{3}`)

// harmless refuses what the parser has no bounds for: it recurses with the
// nesting, and a number as a string has as many digits as its exponent says.
func (p *Problems) harmless() bool {
	tokens, _ := hclsyntax.LexConfig(p.src, p.name, hcl.InitialPos)
	depth := 0
	for _, t := range tokens {
		switch {
		case closes(t.Type):
			depth--
		case opens(t.Type):
			depth++
		}
		if depth > maxNesting {
			p.fail(t.Range, "", "brackets are nested too deeply")
			return false
		}
		if t.Type == hclsyntax.TokenNumberLit && hugeExponent.Match(t.Bytes) {
			p.fail(t.Range, "", "the number is too large or too small")
			return false
		}
	}
	return true
}

// untilOpenString drops what follows from a string that is not closed: the
// parser takes the rest of the file for strings, and the reverse.
func untilOpenString(diags hcl.Diagnostics) hcl.Diagnostics {
	for i, d := range diags {
		if d.Summary == "Invalid multi-line string" {
			return diags[:i+1]
		}
	}
	return diags
}
