package devicesim

// selection is what a subtree filter (RFC 6241 section 6) selects: the nodes
// in it are selected, those with true as a whole.
type selection map[*node]bool

// filtered returns what the filter selects below n, keeping n itself. No
// filter selects all, an empty one nothing.
func filtered(n, filter *node) *node {
	if filter == nil {
		return n
	}
	s := selection{n: false}
	for _, f := range filter.kids {
		for _, k := range n.kids {
			s.mark(k, f)
		}
	}
	return s.prune(n)
}

// mark selects what f selects of n and below it, and reports whether that is
// anything. Several filters add up.
func (s selection) mark(n, f *node) bool {
	if !f.names(n) {
		return false
	}
	if len(f.kids) == 0 {
		s[n] = true
		return true
	}
	if !contentMatches(n, f) {
		return false
	}
	if onlyContentMatch(f) {
		s[n] = true
		return true
	}
	if !s.markKids(n, f) {
		return false
	}
	if _, selected := s[n]; !selected { // one that is whole stays so
		s[n] = false
	}
	return true
}

func (s selection) markKids(n, f *node) bool {
	found := false
	for _, k := range n.kids {
		for _, kf := range f.kids {
			if s.mark(k, kf) {
				found = true
			}
		}
	}
	return found
}

// names reports whether filter node f means n: by name, where no namespace
// means any, and by attributes.
func (f *node) names(n *node) bool {
	if f.name.Local != n.name.Local || f.name.Space != "" && f.name.Space != n.name.Space {
		return false
	}
	for _, a := range f.attrs {
		if n.attribute(a.Name) != a.Value {
			return false
		}
	}
	return f.text == "" || f.text == n.text
}

// isContentMatch tells a filter node that compares text (RFC 6241 section
// 6.2.5) from those that select.
func (f *node) isContentMatch() bool { return len(f.kids) == 0 && f.text != "" }

func contentMatches(n, f *node) bool {
	for _, kf := range f.kids {
		if kf.isContentMatch() && !hasMatch(n, kf) {
			return false
		}
	}
	return true
}

func hasMatch(n, f *node) bool {
	for _, k := range n.kids {
		if f.names(k) {
			return true
		}
	}
	return false
}

func onlyContentMatch(f *node) bool {
	for _, kf := range f.kids {
		if !kf.isContentMatch() {
			return false
		}
	}
	return true
}

func (s selection) prune(n *node) *node {
	if s[n] {
		return n
	}
	kept := &node{name: n.name, attrs: n.attrs, text: n.text}
	for _, k := range n.kids {
		if _, ok := s[k]; ok {
			kept.kids = append(kept.kids, s.prune(k))
		}
	}
	return kept
}
