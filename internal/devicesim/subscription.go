package devicesim

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"time"

	"callhome-gateway/internal/netconf"
)

// streamName is the only event stream (RFC 5277 section 3.2.3).
const streamName = "NETCONF"

func notificationName(local string) xml.Name {
	return xml.Name{Space: netconf.NamespaceNotification, Local: local}
}

// subscribe starts the heartbeat of a session. There is no replay, and a
// subscription ends with its session.
func (s *session) subscribe(op *node) (reply, *netconf.RPCError) {
	if s.subscribed {
		return reply{}, fault("protocol", "in-use", "this session has a subscription")
	}
	if stream := op.paramText("stream"); stream != "" && stream != streamName {
		return reply{}, errInvalidValue("there is no stream of that name")
	}
	if op.param("startTime") != nil {
		return reply{}, errNotSupported("this device cannot replay")
	}
	if op.param("stopTime") != nil {
		return reply{}, errMissingElement("startTime") // RFC 5277 section 2.1.1
	}
	filter, fault := subtreeFilter(op)
	if fault != nil {
		return reply{}, fault
	}
	s.subscribed = true
	return reply{then: func() { s.startHeartbeat(filter) }}, nil
}

// startHeartbeat sends a notification every so often until the session ends,
// between replies as :interleave says.
func (s *session) startHeartbeat(filter *node) {
	if s.device.o.Heartbeat < 0 {
		return
	}
	s.wg.Go(func() {
		ticker := time.NewTicker(s.device.o.Heartbeat)
		defer ticker.Stop()
		for sequence := 1; ; sequence++ {
			select {
			case <-s.ctx.Done():
				return
			case now := <-ticker.C:
				if s.notify(heartbeat(s.device.o.Name, sequence), filter, now) != nil {
					return
				}
			}
		}
	})
}

func heartbeat(device string, sequence int) *node {
	return branch(simName("heartbeat"),
		leaf(simName("device"), device),
		leaf(simName("sequence"), strconv.Itoa(sequence)))
}

func (s *session) notify(event, filter *node, at time.Time) error {
	selected := filtered(branch(xml.Name{}, event), filter)
	if len(selected.kids) == 0 {
		return nil
	}
	doc := branch(notificationName("notification"),
		leaf(notificationName("eventTime"), at.UTC().Format(time.RFC3339Nano)),
		selected.kids[0])
	var b bytes.Buffer
	doc.write(&b, "")
	return s.write(&netconf.Message{Size: int64(b.Len()), Body: &b})
}
