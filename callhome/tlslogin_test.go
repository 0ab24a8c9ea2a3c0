package callhome

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"
)

func TestATLSDeviceThatSpeaksWaitsForASlotAsLongAsOthers(t *testing.T) {
	user := &auth.User{Name: "fleet", TLS: &auth.UserTLS{Certificate: SelfSigned(t, "gateway")}}
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Memory: &memory{}, Users: []*auth.User{user}, MaxHandshakes: 1})
		if err != nil {
			t.Fatal(err)
		}
		leave, err := s.gate.enter(t.Context(), netA, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		gateway, device := net.Pipe()
		defer device.Close()
		go func() { _, _ = io.Copy(io.Discard, device) }()
		speaks := time.AfterFunc(maxQueued/2, func() { _, _ = device.Write([]byte{recordHandshake}) })
		defer speaks.Stop()
		start := time.Now()
		c := &call{server: s, conn: newCallConn(gateway), at: start, listener: onListener(s, Listener{Transport: TLS}), info: CallInfo{Remote: netip.AddrPortFrom(addrB, 1), Transport: TLS}}
		if _, r := c.accept(t.Context()); r == nil || r.reason != RejectedLimit || time.Since(start) != maxQueued {
			t.Errorf("%v after %s", r, time.Since(start))
		}
	})
}
