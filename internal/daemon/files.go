package daemon

import (
	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

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
