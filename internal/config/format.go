package config

import "github.com/hashicorp/hcl/v2/hclwrite"

// Format returns src in the canonical layout. It changes white space only, and
// does nothing to a file that is not good HCL: then the Problems say why. They
// are never nil.
func Format(name string, src []byte) ([]byte, *Problems) {
	p := newProblems(name, src)
	defer p.sort()
	if p.parse(); p.HasErrors() {
		return nil, p
	}
	return hclwrite.Format(src), p
}
