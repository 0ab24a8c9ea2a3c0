package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the canonical layout. It changes white space only, and
// does nothing to a file that is not good HCL: then the Problems say why. They
// are never nil.
func Format(name string, src []byte) ([]byte, *Problems) {
	p := newProblems(name, src)
	defer p.sort()
	if p.parse(); p.HasErrors() {
		return nil, p
	}
	formatted := hclwrite.Format(src)
	again := newProblems(name, formatted)
	if again.parse(); again.HasErrors() { // it makes "0.0.0" of "0.0. 0", for one
		p.fail(hcl.Range{}, "it has blanks where none belong", "the file cannot be formatted: it would not be good HCL any more")
		return nil, p
	}
	return formatted, p
}
