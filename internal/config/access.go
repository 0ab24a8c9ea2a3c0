package config

import "callhome-gateway/auth"

// The words for what a manager may do.
const (
	readWrite = "read-write"
	readOnly  = "read-only"
)

// access decodes what a manager may ask of the devices that it reaches. A list of
// operations that turns out empty allows none.
func (d *decoder) access(b managerBlock) auth.Access {
	word := readWrite
	d.choice(b.Access, []string{readWrite, readOnly}, &word)
	a := auth.Access{ReadOnly: word == readOnly}
	if b.Operations == nil {
		return a
	}
	operations := []auth.Operation{}
	for _, s := range d.list(b.Operations) {
		op, ok := d.operation(s)
		if !ok {
			continue
		}
		if !a.Permits(op, "") {
			d.problems.warn(s.at, "take it out, or set access to \"read-write\" and list all that the manager may ask for", "%s is listed and refused: access is %q", op, word)
		}
		operations = append(operations, op)
	}
	if emptyList(b.Operations) {
		d.problems.fail(b.Operations.Range, "leave it out to allow all that access allows", "operations is empty: manager %q could ask for nothing", b.Name)
	}
	a.Operations = operations
	return a
}

// operation reads the name of an operation.
func (d *decoder) operation(s item) (auth.Operation, bool) {
	op, err := auth.ParseOperation(s.text)
	if err != nil {
		d.problems.fail(s.at, didYouMean(s.text, auth.StandardOperations()), "%s", err)
	}
	return op, err == nil
}
