package config

// Saved is a part of the configuration that was added while the gateway ran. It
// is read together with the file. Where the file has one of its kind and name,
// the file wins; one that does not go with the file is set aside.
type Saved struct {
	// Kind is "user", "session" or "callhome-user".
	Kind, Name string
	// Text is the block in HCL; empty for a callhome-user.
	Text string
}

// SetAside is a Saved that does not count, and why.
type SetAside struct {
	Saved
	Reason string
}
