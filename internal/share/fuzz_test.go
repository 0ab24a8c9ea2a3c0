package share

import (
	"fmt"
	"testing"

	"callhome-gateway/internal/netconf"
)

// FuzzSend: whatever sound rpc a manager sends, it gets one reply, which has
// its message-id; the link lives, and the device has seen a sound rpc at most.
func FuzzSend(f *testing.F) {
	for _, start := range exotic[:len(exotic)-1] {
		f.Add(exoticRPC(start, ""))
	}
	for _, short := range append(chaotic, "close-session", "copy-config candidate→running", "edit-data running", "commit persist-id=x") {
		f.Add(rpc(1, contentOf(short)))
	}
	f.Add(rpc(1, subscribeAll))
	f.Add(rpc(1, fmt.Sprintf("<kill-session><session-id>%d</session-id></kill-session>", lastSession)))
	f.Fuzz(func(t *testing.T, doc string) {
		head, err := parseHead(doc)
		if err != nil || head.Kind != netconf.KindRPC {
			return
		}
		device, d := newFake(t, Options{}, all, sayOK)
		a, b := open(t, d), open(t, d)
		sent := make(chan error, 1)
		go func() { sent <- a.Send(message(doc)) }()
		reply, err := a.read()
		if err != nil || <-sent != nil {
			t.Fatalf("%q: %v; the link ended: %v", doc, err, device.why())
		}
		if got, err := parseHead(reply); err != nil || got.Kind != netconf.KindReply || got.ID != head.ID || got.HasID != head.HasID {
			t.Fatalf("%q was answered with %q, %v", doc, reply, err)
		}
		_ = a.Close()
		b.want("<get/>", ok)
	})
}
