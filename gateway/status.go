package gateway

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"callhome-gateway/callhome"
)

// DeviceStatus is what is known of a device at one moment.
type DeviceStatus struct {
	Name string
	// Port is the device's own SSH endpoint, TLSPort its TLS one; 0 when it has none.
	Port, TLSPort uint16
	// Mode is how managers share the device's connection: while it is away and
	// nothing else is known, as it is configured.
	Mode SessionMode
	// Link is the device's connection; nil while it is away.
	Link *callhome.Link
	// Since is when it came or went; zero when it has not called since the
	// gateway started.
	Since time.Time
	// Failure is the last call since it went, when that failed; otherwise zero.
	Failure callhome.Outcome
	// Sessions are the manager sessions, oldest first.
	Sessions []SessionStatus
}

// SessionStatus is what is known of a manager session at one moment.
type SessionStatus struct {
	Manager string
	// Transport is what the manager speaks.
	Transport callhome.Transport
	Source    netip.AddrPort
	// SessionID is what the device calls the session, or the gateway where
	// managers share one.
	SessionID uint32
	Since     time.Time
	// MessagesIn and BytesIn came from the manager, MessagesOut and BytesOut
	// went to it.
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64
}

func (d *device) status() DeviceStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	status := DeviceStatus{
		Name: d.name, Since: d.since, Failure: d.failure,
		Port: d.config.Port, TLSPort: d.config.TLSPort, Mode: d.modeLocked(d.link),
	}
	if d.endpoint != nil {
		status.Port = d.endpoint.port
	}
	if d.link != nil {
		if l, ok := d.link.link.(callhomeLink); ok {
			status.Link = l.Link
		}
	}
	for s := range d.sessions {
		status.Sessions = append(status.Sessions, s.status())
	}
	slices.SortFunc(status.Sessions, func(a, b SessionStatus) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.SessionID, b.SessionID))
	})
	return status
}
