package share

import (
	"slices"
	"testing"

	"callhome-gateway/internal/netconf"
)

func TestCapabilitiesThatManagersAreShown(t *testing.T) {
	const interleave, notification, module = capInterleave, capNotification, "urn:x?module=x&revision=2026-01-01"
	for _, test := range []struct {
		device, shared []string
	}{
		{all, all},
		{[]string{module, netconf.CapabilityBase10, module}, []string{module, netconf.CapabilityBase10, module}},
		{[]string{notification, module, interleave}, []string{notification, module, interleave}},
		{[]string{notification, module}, []string{module}},
		{[]string{private[0], module, private[1] + "?a=b", private[2]}, []string{module}},
	} {
		device := &netconf.Hello{Capabilities: test.device}
		if got := offer(device, false); !slices.Equal(got, test.shared) {
			t.Errorf("%q: several managers are shown %q", test.device, got)
		}
		if got := offer(device, true); !slices.Equal(got, test.device) {
			t.Errorf("%q: one manager is shown %q", test.device, got)
		}
	}
}
