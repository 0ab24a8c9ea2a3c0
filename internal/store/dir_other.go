//go:build !unix

package store

import "io/fs"

// Mode bits say nothing here: access is a matter of the directory's ACL.
func openToOthers(fs.FileInfo) bool { return false }

func checkOwner(string, fs.FileInfo) error { return nil }

// syncDir does nothing: a directory cannot be synced here.
func syncDir(string) error { return nil }
