package netconf

// Hello is what one side of a session said of itself (RFC 6241 section 8.1).
type Hello struct {
	Capabilities []string
	// SessionID is set in a server's hello only.
	SessionID uint32
	// Raw is the document as it was received; nil for one made here.
	Raw []byte
}
