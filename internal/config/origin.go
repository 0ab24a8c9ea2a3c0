package config

import "callhome-gateway/auth"

// Origin is where a part of the configuration comes from.
type Origin string

// The origins.
const (
	FromFile  Origin = "file"  // the configuration file
	FromFlag  Origin = "flag"  // the command line of serve
	FromSaved Origin = "saved" // a command while the gateway ran
)

// origins are those of what a Config has by name. What is in none is the file's.
type origins struct {
	users, sessions map[string]Origin
	// callhome are those of Callhome.Users, one by one.
	callhome []Origin
}

// UserOrigin returns where the user entry of that name comes from.
func (c *Config) UserOrigin(name string) Origin { return orFile(c.origins.users[name]) }

// SessionOrigin returns where the session entry of that name comes from.
func (c *Config) SessionOrigin(name string) Origin { return orFile(c.origins.sessions[name]) }

// CallhomeUserOrigin returns where the place among the callhome-users of
// Callhome.Users[i] comes from.
func (c *Config) CallhomeUserOrigin(i int) Origin {
	if i >= len(c.origins.callhome) {
		return FromFile
	}
	return c.origins.callhome[i]
}

func orFile(o Origin) Origin {
	if o == "" {
		return FromFile
	}
	return o
}

// addCallhomeUser makes u the last of the callhome-users.
func (c *Config) addCallhomeUser(u *auth.User, from Origin) {
	for len(c.origins.callhome) < len(c.Callhome.Users) {
		c.origins.callhome = append(c.origins.callhome, FromFile)
	}
	c.Callhome.Users = append(c.Callhome.Users, u)
	c.origins.callhome = append(c.origins.callhome, from)
}
