//go:build !unix

package daemon

// maxFiles returns 0: the system does not tell.
func maxFiles() uint64 { return 0 }
