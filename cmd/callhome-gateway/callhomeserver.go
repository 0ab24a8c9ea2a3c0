package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

func newCallhomeServer() *cobra.Command {
	return newGroup(&cobra.Command{
		Use:   "callhome-server",
		Short: "Start and stop accepting calls, and show where they are accepted",
		Long: `Says whether the running gateway accepts the calls of devices. What is started or
stopped here stays so until the next start or stop, or until the gateway is
started again: then callhome.enabled holds.`,
		Example: `  callhome-gateway callhome-server status
  callhome-gateway callhome-server stop
  callhome-gateway callhome-server start --port 4334`,
	}, newCallhomeServerStatus, newCallhomeServerStart, newCallhomeServerStop)
}

func newCallhomeServerStatus(gateway *gatewayFlags) *cobra.Command {
	return showCommand(gateway, &cobra.Command{
		Use:   "status",
		Short: "Show where calls are accepted",
		Long:  `Shows the addresses and ports for calls, and whether calls are accepted on them.`,
		Example: `  callhome-gateway callhome-server status
  callhome-gateway callhome-server status --json | jq .running`,
	}, (*control.Client).CallhomeServer, printCallhomeServer)
}

func newCallhomeServerStart(gateway *gatewayFlags) *cobra.Command {
	var r control.StartRequest
	var ports struct{ ssh, tls int }
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Accept calls",
		Long: `Has the gateway accept calls, also where callhome.enabled is false. Without flags
the address and the ports are those of the configuration. If one cannot be had,
nothing changes.`,
		Example: `  callhome-gateway callhome-server start
  callhome-gateway callhome-server start --address 192.0.2.1 --port 4334 --tls-port 0`,
		Args: noArguments,
		PreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cmd.Flags().Changed("address") && r.Address == "" {
				return usageErrorf("--address is empty: give an IP address, or leave the flag out")
			}
			if r.Port, err = givenPort(cmd, "port", ports.ssh); err != nil {
				return err
			}
			r.TLSPort, err = givenPort(cmd, "tls-port", ports.tls)
			return err
		},
	}
	cmd.Flags().StringVar(&r.Address, "address", "", "accept calls on this `IP` address (\"::\" for all, of IPv4 too)")
	cmd.Flags().IntVar(&ports.ssh, "port", 0, "accept calls over SSH on this `PORT`; 0 for none")
	cmd.Flags().IntVar(&ports.tls, "tls-port", 0, "accept calls over TLS on this `PORT`; 0 for none")
	return showCommandOf(gateway, cmd, func(cmd *cobra.Command, client *control.Client, _ []string) (control.CallhomeServer, error) {
		return client.StartCallhome(cmd.Context(), r)
	}, printCallhomeServer)
}

// givenPort returns the port of a flag, or nil if the flag is not there.
func givenPort(cmd *cobra.Command, flag string, port int) (*uint16, error) {
	if !cmd.Flags().Changed(flag) {
		return nil, nil
	}
	if port < 0 || port > math.MaxUint16 {
		return nil, usageErrorf("--%s: %d is not a port (0 to 65535)", flag, port)
	}
	given := uint16(port)
	return &given, nil
}

func newCallhomeServerStop(gateway *gatewayFlags) *cobra.Command {
	return showCommand(gateway, &cobra.Command{
		Use:   "stop",
		Short: "Accept no more calls",
		Long: `Has the gateway accept no more calls. The devices that are connected stay so: see
"device disconnect".`,
		Example: `  callhome-gateway callhome-server stop`,
	}, (*control.Client).StopCallhome, printCallhomeServer)
}

func printCallhomeServer(w io.Writer, s control.CallhomeServer) error {
	state := "calls are not accepted"
	if s.Running {
		state = "calls are accepted"
	}
	if !s.Since.IsZero() {
		state += fmt.Sprintf(", by an operator's command %s", ago(s.Since, time.Now()))
	}
	fmt.Fprintln(w, state)
	if len(s.Listeners) == 0 {
		return nil
	}
	t := newTable(w)
	row(t, "LISTENER", "TRANSPORT", "ADDRESS", "STATE")
	for _, l := range s.Listeners {
		state := "closed"
		if l.Listening {
			state = "listening"
		}
		row(t, clean(l.Listener), clean(l.Transport), clean(l.Address), state)
	}
	return t.Flush()
}
