package daemon

import (
	"fmt"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"

	"github.com/hashicorp/go-hclog"
)

// forStrangers is the part of the files that may be open which is for those who
// have not logged in. The rest is for devices, managers, their endpoints, and
// operators.
const forStrangers = 2 // a half

// fitFiles lowers what strangers may have at a time so far that it does not take
// the files of all others: without any left no device could call, no manager
// connect, and no operator ask why. limit is how many files may be open; 0 means
// that nobody knows.
func fitFiles(calls *callhome.Options, managers *gateway.Options, limit uint64, log hclog.Logger) {
	bounds := []*int{&calls.MaxCalls, &calls.MaxHeld, &managers.MaxLogins}
	defaults := []int{callhome.DefaultMaxCalls, callhome.DefaultMaxHeld, gateway.DefaultMaxLogins}
	wanted := 0
	for i, bound := range bounds {
		if *bound == 0 {
			*bound = defaults[i]
		}
		wanted += *bound
	}
	may := limit / forStrangers
	if limit == 0 || uint64(wanted) <= may {
		return
	}
	for _, bound := range bounds {
		*bound = max(1, int(uint64(*bound)*may/uint64(wanted)))
	}
	log.Warn("few files may be open: fewer strangers are served at a time; raise the limit (ulimit -n, LimitNOFILE)",
		"limit", limit, "enough", forStrangers*wanted, "max_calls", calls.MaxCalls, "max_held", calls.MaxHeld, "logins", managers.MaxLogins)
}

// bounds are what strangers may have at a time. They stay as they are until a
// restart.
type bounds struct {
	calls, held, logins int
	// wanted is how many files these were to have, before there were too few.
	wanted int
}

func newBounds(c *config.Config, limit uint64, log hclog.Logger) bounds {
	calls, managers := c.Callhome.Options, c.Gateway
	fitFiles(&calls, &managers, 0, log) // fills in the defaults
	wanted := calls.MaxCalls + calls.MaxHeld + managers.MaxLogins
	fitFiles(&calls, &managers, limit, log)
	return bounds{calls.MaxCalls, calls.MaxHeld, managers.MaxLogins, wanted}
}

const (
	// forManagers is what managers may well have open: a connection for each
	// session, and now and then a file for a large request.
	forManagers = 1024
	// forTheRest is for the state, the log, operators, the hook, and the runtime.
	forTheRest = 64
)

// fileNeeds is how many files may have to be open at a time: for each known
// device its link, and its own ports; the ports that are shared; strangers.
type fileNeeds struct{ devices, ownPorts, sharedPorts, strangers int }

func (d *daemon) fileNeeds() fileNeeds {
	c := d.settings().Config
	n := fileNeeds{sharedPorts: len(d.callListeners()), strangers: d.bounds.wanted}
	for _, port := range []uint16{c.Gateway.Port, c.Gateway.TLSPort} {
		if port != 0 {
			n.sharedPorts++
		}
	}
	for _, device := range d.gateway.Devices() {
		n.devices++
		if device.Port != 0 || c.Gateway.Ports != (gateway.PortRange{}) { // it gets one when it calls
			n.ownPorts++
		}
		if device.TLSPort != 0 {
			n.ownPorts++
		}
	}
	return n
}

func (n fileNeeds) sum() int {
	return n.devices + n.ownPorts + n.sharedPorts + n.strangers + forManagers + forTheRest
}

// tell warns where fewer files may be open: the last devices and managers would
// be turned away. 0 means that nobody knows how many.
func (n fileNeeds) tell(limit uint64, log hclog.Logger) {
	if limit == 0 || uint64(n.sum()) <= limit {
		return
	}
	enough := max(n.sum(), forStrangers*n.strangers)
	log.Warn(fmt.Sprintf("fewer files may be open than this gateway may need: set LimitNOFILE=%d in its unit, or run ulimit -n %d before it", enough, enough),
		"limit", limit, "needed", n.sum(), "devices", n.devices, "own_ports", n.ownPorts, "shared_ports", n.sharedPorts,
		"calls_and_logins", n.strangers, "managers", forManagers, "rest", forTheRest)
}
