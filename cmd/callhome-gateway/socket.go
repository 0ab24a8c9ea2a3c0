package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// gatewayFlags say which running gateway a command is about.
type gatewayFlags struct {
	config string
	socket string
	set    *pflag.FlagSet
}

func (g *gatewayFlags) add(flags *pflag.FlagSet) {
	g.addConfig(flags)
	flags.StringVar(&g.socket, "socket", "", "the control `SOCKET` of the gateway, instead of --config")
}

// addConfig is for a command that asks no gateway, but needs its state directory.
func (g *gatewayFlags) addConfig(flags *pflag.FlagSet) {
	g.set = flags
	flags.StringVar(&g.config, "config", defaultConfig, "the configuration `FILE` of the gateway: its state_dir has the control socket")
}

func (g *gatewayFlags) client() (*control.Client, error) {
	path, err := g.path()
	if err != nil {
		return nil, err
	}
	return control.NewClient(path), nil
}

// action is the action of a command that asks the running gateway.
func (g *gatewayFlags) action(do func(cmd *cobra.Command, client *control.Client, args []string) error) func(*cobra.Command, []string) error {
	return action(func(cmd *cobra.Command, args []string) error {
		client, err := g.client()
		if err != nil {
			return err
		}
		return do(cmd, client, args)
	})
}

func (g *gatewayFlags) path() (string, error) {
	if g.socket != "" {
		return g.socket, nil
	}
	dir, err := g.stateDir()
	if err != nil {
		return "", fmt.Errorf("finding the control socket: give it with --socket, or mend the configuration:\n%w", err)
	}
	return filepath.Join(dir, control.SocketName), nil
}

// stateDir returns the state directory that the configuration says, which may be
// wrong otherwise.
func (g *gatewayFlags) stateDir() (string, error) {
	if _, err := os.Stat(g.config); errors.Is(err, fs.ErrNotExist) && !g.set.Changed("config") {
		return config.DefaultStateDir, nil
	}
	dir, problems := config.StateDir(g.config, config.Options{Offline: true})
	if problems != nil {
		return "", problems
	}
	return dir, nil
}
