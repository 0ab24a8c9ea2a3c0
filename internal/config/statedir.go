package config

import "github.com/hashicorp/hcl/v2/gohcl"

// StateDir returns the state directory that the file says. What else is wrong
// with it does not matter: a gateway that runs is asked how it does, and told
// to read the file again, while the file is being mended. The Problems are nil
// unless the directory cannot be found out.
func StateDir(path string, o Options) (string, *Problems) {
	f, err := readFile(path)
	if err != nil {
		return "", unreadable(path, err)
	}
	p := newProblems(path, f.content)
	body, whole := p.parse()
	if body == nil {
		return "", p
	}
	schema, _ := gohcl.ImpliedBodySchema(fileSchema{})
	content, unknown := body.Content(schema)
	attribute := content.Attributes["state_dir"]
	switch {
	case attribute == nil && whole && !unknown.HasErrors():
		return DefaultStateDir, nil
	case attribute == nil: // it may be in what was not understood
		p.add(unknown)
		return "", p
	}
	d := newDecoder(p, path, o)
	dir, known := d.string(attribute)
	if !known || dir.text == "" {
		p.fail(attribute.Expr.Range(), "", "state_dir cannot be found out")
		return "", p
	}
	return d.path(dir.text), nil
}
