package devicesim

import (
	"slices"

	"callhome-gateway/internal/netconf"
)

// edit is the edit operation that an element asks for (RFC 6241 section 7.2).
type edit string

const (
	editMerge   edit = "merge"
	editReplace edit = "replace"
	editCreate  edit = "create"
	editDelete  edit = "delete"
	editRemove  edit = "remove"
	editNone    edit = "none"
)

// editConfig returns the configuration that results from applying the content
// of a config element. It is all or nothing: on an error nothing has changed.
func editConfig(old, config *node, initial edit) (*node, *netconf.RPCError) {
	result := branch(old.name)
	if initial != editReplace {
		result.kids = slices.Clone(old.kids)
	}
	for _, k := range config.kids {
		if fault := result.apply(k, initial); fault != nil {
			return nil, fault
		}
	}
	return result, nil
}

// apply edits one child of parent, which must not be shared yet. Children are
// copied before they change.
func (parent *node) apply(change *node, inherited edit) *netconf.RPCError {
	op, fault := change.operation(inherited)
	if fault != nil {
		return fault
	}
	i := slices.IndexFunc(parent.kids, change.same)
	switch {
	case op == editRemove && i < 0:
		return nil
	case (op == editDelete || op == editNone) && i < 0:
		return errDataMissing(change)
	case op == editCreate && i >= 0:
		return errDataExists(change)
	case op == editDelete || op == editRemove:
		parent.kids = slices.Delete(parent.kids, i, i+1)
		return nil
	case op == editNone && len(change.kids) == 0:
		return nil
	}
	if i < 0 {
		i = len(parent.kids)
		parent.kids = append(parent.kids, &node{name: change.name})
	}
	target := &node{name: change.name, attrs: change.configAttrs(), text: change.text}
	if op == editMerge || op == editNone {
		target.kids = slices.Clone(parent.kids[i].kids)
	}
	parent.kids[i] = target
	return target.applyAll(change.kids, op)
}

func (parent *node) applyAll(changes []*node, inherited edit) *netconf.RPCError {
	for _, change := range changes {
		if fault := parent.apply(change, inherited); fault != nil {
			return fault
		}
	}
	return nil
}

// operation returns the element's own edit operation, or the one inherited.
func (n *node) operation(inherited edit) (edit, *netconf.RPCError) {
	switch op := edit(n.attribute(base("operation"))); op {
	case "":
		return inherited, nil
	case editMerge, editReplace, editCreate, editDelete, editRemove:
		return op, nil
	default:
		return "", errBadAttribute("operation", n.name.Local)
	}
}

// configAttrs returns the attributes that are data: those of the protocol's
// namespace direct the edit.
func (n *node) configAttrs() []attr {
	var data []attr
	for _, a := range n.attrs {
		if a.Name.Space != netconf.NamespaceBase {
			data = append(data, a)
		}
	}
	return data
}

// same reports whether two siblings are one instance. The simulator knows no
// YANG: an element whose first child is a leaf called name, id, index or key
// is taken for a list entry with that key. One without matches any.
func (n *node) same(other *node) bool {
	if n.name != other.name {
		return false
	}
	key, otherKey := n.key(), other.key()
	return key == otherKey || key == "" || otherKey == ""
}

func (n *node) key() string {
	if len(n.kids) == 0 || len(n.kids[0].kids) > 0 {
		return ""
	}
	switch first := n.kids[0]; first.name.Local {
	case "name", "id", "index", "key":
		return first.text
	}
	return ""
}

// plain returns the tree without edit operations, as the source of a
// copy-config has it.
func (n *node) plain() *node {
	p := &node{name: n.name, attrs: n.configAttrs(), text: n.text}
	for _, k := range n.kids {
		p.kids = append(p.kids, k.plain())
	}
	return p
}
