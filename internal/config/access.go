package config

import "callhome-gateway/auth"

// The words for what a manager may do.
const (
	readWrite = "read-write"
	readOnly  = "read-only"
)

// access decodes what a manager may ask of the devices that it reaches.
func (d *decoder) access(b managerBlock) auth.Access {
	word := readWrite
	d.choice(b.Access, []string{readWrite, readOnly}, &word)
	return auth.Access{ReadOnly: word == readOnly}
}
