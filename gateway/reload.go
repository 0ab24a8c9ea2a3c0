package gateway

import (
	"context"
	"errors"
)

// errLater marks what is being built.
var errLater = errors.New("this is not there yet")

// Reload gives the gateway other options while it runs, after Listen. It changes
// nothing if it returns an error, as when a port cannot be had. Otherwise exactly
// the manager sessions end that the change concerns, and Reload returns how many,
// without waiting for their end: those whose manager would not come in any more
// as it did, those on an endpoint that is no more or is another's by now, those of
// a device that is no more or whose sessions are shared otherwise. What a manager
// may ask of its devices changes for sessions that run, too.
//
// known is asked about devices that were in the old options and are not in the
// new ones: those for which it returns true stay, without a port of their own in
// the configuration; the others are forgotten. It must not call the Gateway.
//
// HostKeys hold for new connections. PortStore, Listen, Recorder, TempDir, Log,
// MaxLogins, MaxMessage and SpoolBudget stay as they were given to New.
func (g *Gateway) Reload(o Options, known func(device string) bool) (ended int, err error) {
	return 0, errLater
}

// Drain lets no new session begin, and returns when the last has ended or ctx
// ends; the sessions that are left end with Serve.
func (g *Gateway) Drain(ctx context.Context) {}

// Rename gives a device another name: it keeps its port. Its manager sessions
// end. It is for the caller to close the link.
func (g *Gateway) Rename(from, to string) error { return errLater }
