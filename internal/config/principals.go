package config

import ()

// principals are those by which SSH certificates log in as managers.
type principals struct {
	// trusted says that there is a CA at all.
	trusted bool
	// owner is the manager that goes by a principal. Case matters.
	owner map[string]string
}

func newPrincipals(f fileSchema) principals {
	p := principals{owner: make(map[string]string)}
	for _, b := range f.Gateway {
		p.trusted = p.trusted || b.UserCA != nil
	}
	for _, b := range f.Managers {
		if b.Principals == nil {
			p.owner[b.Name] = b.Name
		}
	}
	return p
}

// of returns the manager's principals; none where its name is the only one.
func (p principals) of(d *decoder, b managerBlock) (names []string) {
	for _, s := range d.list(b.Principals) {
		other, taken := p.owner[s.text]
		switch {
		case !usableName(s.text):
			d.problems.fail(s.at, "it is what ssh-keygen -n puts into a certificate: text of 255 bytes at most", "%.80q cannot be a principal", s.text)
		case taken:
			d.problems.fail(s.at, "a principal leads to one manager", "manager %q goes by the principal %q already", other, s.text)
		default:
			p.owner[s.text] = b.Name
			names = append(names, s.text)
		}
	}
	switch {
	case b.Principals == nil:
	case emptyList(b.Principals):
		d.problems.fail(b.Principals.Range, "leave it out to have the manager's name as its principal", "principals is empty")
	case !p.trusted:
		d.problems.warn(b.Principals.Range, `set user_ca in the gateway block, as in user_ca = [file("keys/user-ca.pub")]`, "principals has no effect: no CA signs certificates of managers")
	}
	return names
}
