package auth

// Access says which operations a manager may ask devices for. The zero value
// allows all.
type Access struct {
	// ReadOnly allows those alone that read and change nothing, of the device or
	// of other sessions. What is not known to be one of them changes something.
	ReadOnly bool
	// Operations, unless it is nil, are the only ones allowed, of those that
	// ReadOnly leaves. close-session is always allowed.
	Operations []Operation
}

// Operation is the name of an rpc's operation.
type Operation struct{ Namespace, Name string }
