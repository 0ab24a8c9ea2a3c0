package config

import "slices"

// principals returns those by which SSH certificates log in as the manager; none
// where its name is the only one. Several managers may have the same: the
// username says which one is meant. trusted says that there is a CA at all.
func (d *decoder) principals(b managerBlock, trusted bool) (names []string) {
	for _, s := range d.list(b.Principals) {
		if !usableName(s.text) {
			d.problems.fail(s.at, "it is what ssh-keygen -n puts into a certificate: text of 255 bytes at most", "%.80q cannot be a principal", s.text)
			continue
		}
		names = append(names, s.text)
	}
	switch {
	case b.Principals == nil:
	case emptyList(b.Principals):
		d.problems.fail(b.Principals.Range, "leave it out to have the manager's name as its principal", "principals is empty")
	case !trusted:
		d.problems.warn(b.Principals.Range, `set user_ca in the gateway block, as in user_ca = [file("keys/user-ca.pub")]`, "principals has no effect: no CA signs certificates of managers")
	}
	return names
}

// trustsUserCA reports whether some CA signs certificates of managers.
func (f fileSchema) trustsUserCA() bool {
	return slices.ContainsFunc(f.Gateway, func(b gatewayBlock) bool { return b.UserCA != nil })
}
