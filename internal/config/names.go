package config

import (
	"fmt"
	"strings"

	"callhome-gateway/auth"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
)

// nearest returns the candidate that s is most likely a misspelling of.
func nearest(s string, candidates []string) (best string) {
	distance := 3
	for _, c := range candidates {
		if n := levenshtein.Distance(strings.ToLower(s), c, nil); n < distance {
			best, distance = c, n
		}
	}
	return best
}

func didYouMean(s string, candidates []string) string {
	if best := nearest(s, candidates); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// labels checks the names of one kind of block.
type labels struct {
	kind  string
	lines map[string]int
}

func newLabels(kind string) labels { return labels{kind: kind, lines: make(map[string]int)} }

// check reports whether the name is a good one that no block before had.
func (l labels) check(p *Problems, name string, at hcl.Range) bool {
	key := strings.ToLower(name)
	if line, ok := l.lines[key]; ok {
		p.fail(at, fmt.Sprintf("the other one is in line %d; names are unique without regard to case", line), "there are two %ss %q", l.kind, name)
		return false
	}
	l.lines[key] = at.Start.Line
	if !auth.ValidName(name) {
		p.fail(at, nameHint(key), "%q cannot be the name of a %s", name, l.kind)
		return false
	}
	return true
}

func nameHint(lower string) string {
	const rule = "names are 1 to 63 of a-z, 0-9 and -, and begin with a letter or a digit"
	if auth.ValidName(lower) {
		return fmt.Sprintf("write it in lower case: %q", lower)
	}
	return rule
}

// single returns the one block of a kind that may occur once, or nil.
func single[T any](p *Problems, kind string, blocks []T, def func(T) hcl.Range) *T {
	if len(blocks) == 0 {
		return nil
	}
	for _, b := range blocks[1:] {
		p.fail(def(b), fmt.Sprintf("the first one is in line %d", def(blocks[0]).Start.Line), "there is a second %s block", kind)
	}
	return &blocks[0]
}
