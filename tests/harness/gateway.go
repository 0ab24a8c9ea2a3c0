package harness

const (
	// CallHomePort and SharedPort are the same on every gateway: each has a
	// loopback address of its own.
	CallHomePort = "4334"
	SharedPort   = "2830"
)
