package netconf

import "sync"

const (
	// pieceSize is the most that is read or written at once: what several SSH
	// packets carry, because x/crypto answers every read of a channel whose
	// peer is ahead with a window adjustment, a packet of its own.
	pieceSize = 128 << 10
	// headSize is how far Next looks for the root element's start tag.
	headSize = 4 << 10
	// idleSize is what a Reader keeps while it waits for a message: there is
	// one for each of thousands of devices, and most messages are small.
	idleSize = 512
	// directSize is from where on a read goes straight to the caller's slice.
	directSize = 4 << 10
	// maxEmptyReads is how often a source may return nothing and no error.
	maxEmptyReads = 100
)

var (
	pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}
	heads  = sync.Pool{New: func() any { return new([headSize]byte) }}
)
