package config

// fixed are the options that a running gateway does not follow: where its state
// is, what its tables and budgets were made for, and who its log is read by.
var fixed = []struct {
	option string
	value  func(*Config) any
}{
	{"state_dir", func(c *Config) any { return c.StateDir }},
	{"callhome.max_handshakes", func(c *Config) any { return c.Callhome.MaxHandshakes }},
	{"callhome.max_handshakes_per_source", func(c *Config) any { return c.Callhome.MaxHandshakesPerSource }},
	{"callhome.max_calls", func(c *Config) any { return c.Callhome.MaxCalls }},
	{"callhome.max_held", func(c *Config) any { return c.Callhome.MaxHeld }},
	{"gateway.max_logins", func(c *Config) any { return c.Gateway.MaxLogins }},
	{"gateway.max_message", func(c *Config) any { return c.Gateway.MaxMessage }},
	{"gateway.spool_budget", func(c *Config) any { return c.Gateway.SpoolBudget }},
	{"log.format", func(c *Config) any { return c.Log.Format }},
}

// NeedRestart returns the options, as they are named in the file, in which c
// differs from the configuration that the gateway was started with, and which it
// does not follow while it runs.
func NeedRestart(started, c *Config) (options []string) {
	for _, f := range fixed {
		if f.value(started) != f.value(c) {
			options = append(options, f.option)
		}
	}
	return options
}
