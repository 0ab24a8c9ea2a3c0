package auth

import "regexp"

// A name is a DNS label: it goes into SSH usernames, SNI names and file names.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// ValidName reports whether s can name a device, a user entry or a manager.
func ValidName(s string) bool { return namePattern.MatchString(s) }
