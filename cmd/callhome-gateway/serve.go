package main

import (
	"io"
	"time"

	"callhome-gateway/internal/config"
	"callhome-gateway/internal/daemon"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

type serveFlags struct {
	config  string
	enabled bool
	address string
	port    int
	tlsPort int
	users   []string
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Runs the gateway: it accepts the calls of devices, logs in to them, and lets
managers reach them.

SIGHUP has it read the configuration file again, as the command reload does. On
SIGTERM nobody new is let in; the managers that are there get drain_timeout to
finish, then the devices are let go, drain_rate a second. SIGINT (Ctrl-C) ends it
without waiting, and so does a second signal.

The --callhome flags beat the configuration file, also when it is read again. The
log goes to standard error; the log block says how much of it, and whether as text
or JSON.`,
		Example: `  callhome-gateway serve
  callhome-gateway serve --config config.hcl --callhome-enabled --callhome-user fleet --callhome-user old`,
		Args: noArguments,
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			o, err := f.overrides(cmd)
			if err != nil {
				return err
			}
			cfg, err := load(cmd.ErrOrStderr(), f.config, o)
			if err != nil {
				return err
			}
			signals := serveSignals(cmd.Context())
			defer signals.stop()
			return daemon.Run(signals.ctx, cfg, daemon.Options{
				Version: version(), Log: newLogger(cfg.Log, cmd.ErrOrStderr()), Service: true,
				Load: loadAgain(f.config, o), Reload: signals.reload, Drain: signals.drain,
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", defaultConfig, "the configuration `FILE`")
	flags.BoolVar(&f.enabled, "callhome-enabled", false, "accept calls; =false to accept none")
	flags.StringVar(&f.address, "callhome-address", "", "accept calls on this `IP` address (\"::\" for all, of IPv4 too)")
	flags.IntVar(&f.port, "callhome-port", 0, "accept calls over SSH on this `PORT`; 0 for none")
	flags.IntVar(&f.tlsPort, "callhome-tls-port", 0, "accept calls over TLS on this `PORT`; 0 for none")
	flags.StringArrayVar(&f.users, "callhome-user", nil, "log in with this user `ENTRY` of the file; repeat it for several, in order")
	return cmd
}

// overrides returns what was given on the command line, and only that.
func (f serveFlags) overrides(cmd *cobra.Command) (config.Flags, error) {
	o := config.Flags{Address: f.address, Users: f.users}
	if cmd.Flags().Changed("callhome-enabled") {
		o.Enabled = &f.enabled
	}
	if cmd.Flags().Changed("callhome-port") {
		o.Port = &f.port
	}
	if cmd.Flags().Changed("callhome-tls-port") {
		o.TLSPort = &f.tlsPort
	}
	// An empty variable in a script must not open the listener to everybody.
	if cmd.Flags().Changed("callhome-address") && f.address == "" {
		return o, usageErrorf("--callhome-address is empty: give an IP address, or leave the flag out")
	}
	return o, nil
}

func newLogger(c config.Log, w io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Level:      hclog.LevelFromString(c.Level),
		JSONFormat: c.Format == "json",
		Output:     w,
		TimeFormat: "2006-01-02T15:04:05.000Z07:00",
		TimeFn:     time.Now,
	})
}
