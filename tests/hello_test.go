package tests

import (
	"strings"
	"testing"

	"callhome-gateway/tests/harness"
)

// netconfd often never answers an RPC that comes in one packet with the
// client's hello: the gateway keeps them apart.
func TestAnRPCRightBehindTheHelloIsAnswered(t *testing.T) {
	// Not beside other tests: on a machine under load netconfd may still read
	// both at once, however long the gateway waits between them.
	for _, device := range deviceKinds() {
		t.Run(device.name, func(t *testing.T) {
			l := newLab(t, device.make(t), harness.Config{})
			client := harness.Dial(t, l.edge1())
			for range 20 {
				s, err := harness.OpenSubsystem(client)
				if err != nil {
					t.Fatal(err)
				}
				all := harness.Hello(harness.Base10) + harness.EndOfMessage + harness.RPC("1", soundOperation) + harness.EndOfMessage
				if err := s.SendRaw(all); err != nil {
					t.Fatal(err)
				}
				if err := s.ReadHello(harness.ReplyTimeout, harness.Base10); err != nil {
					t.Fatal(err)
				}
				if reply, err := s.Receive(harness.ReplyTimeout); err != nil || !strings.Contains(reply, `message-id="1"`) {
					t.Fatalf("the RPC behind the hello: %v: %s", err, reply)
				}
				s.Close()
			}
		})
	}
}
