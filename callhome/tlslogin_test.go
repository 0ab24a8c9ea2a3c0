package callhome

import (
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
)

func TestTLSHandshakeWaitsForItsTurnAsLongAsOthers(t *testing.T) {
	user := &auth.User{Name: "fleet", TLS: &auth.UserTLS{Certificate: SelfSigned(t, "gateway")}}
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Memory: &memory{}, Users: []*auth.User{user}})
		if err != nil {
			t.Fatal(err)
		}
		s.gate.idle = 0
		gateway, device := net.Pipe()
		defer device.Close()
		start := time.Now()
		c := &call{server: s, conn: newCallConn(gateway), at: start, called: onListener(Listener{Transport: TLS}), info: CallInfo{Remote: netip.AddrPortFrom(addrB, 1), Transport: TLS}}
		if _, r := c.enter(t.Context()); r == nil || r.reason != RejectedLimit || time.Since(start) != maxQueued {
			t.Errorf("%v after %s", r, time.Since(start))
		}
		if s.Calls() != 0 || s.gate.left() {
			t.Error("something is left")
		}
	})
}
