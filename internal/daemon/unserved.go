package daemon

import "github.com/hashicorp/go-hclog"

// unserved counts the devices that have no endpoint of their own, so that ten
// thousand for which no port is left do not make as many lines.
type unserved struct {
	devices int
	first   string
	err     error // of the first
}

// note counts the device if err is not nil.
func (u *unserved) note(device string, err error) {
	if err == nil {
		return
	}
	if u.devices == 0 {
		u.first, u.err = device, err
	}
	u.devices++
}

func (u *unserved) tell(log hclog.Logger) {
	if u.devices > 0 {
		log.Warn("devices have no endpoint of their own", "devices", u.devices, "first", u.first, "error", u.err)
	}
}
