package daemon

import (
	"net/netip"
	"strings"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"

	"github.com/hashicorp/go-hclog"
)

func TestStrangersLeaveHalfOfTheFilesToOthers(t *testing.T) {
	for name, test := range map[string]struct {
		limit                 uint64
		calls, held, managers int // given
		wantCalls             int
	}{
		"enough":              {limit: 20_000, wantCalls: callhome.DefaultMaxCalls},
		"nobody knows":        {limit: 0, wantCalls: callhome.DefaultMaxCalls},
		"no end":              {limit: 1<<64 - 1, wantCalls: callhome.DefaultMaxCalls},
		"few":                 {limit: 1024, wantCalls: callhome.DefaultMaxCalls * 512 / (callhome.DefaultMaxCalls + callhome.DefaultMaxHeld + gateway.DefaultMaxLogins)},
		"few are wanted":      {limit: 1024, calls: 100, held: 100, managers: 100, wantCalls: 100},
		"too many are wanted": {limit: 1024, calls: 1 << 20, held: 1, managers: 1, wantCalls: 511},
		"hardly any":          {limit: 3, wantCalls: 1},
		"just enough":         {limit: 600, calls: 100, held: 100, managers: 100, wantCalls: 100},
	} {
		t.Run(name, func(t *testing.T) {
			calls := callhome.Options{MaxCalls: test.calls, MaxHeld: test.held}
			managers := gateway.Options{MaxLogins: test.managers}
			fitFiles(&calls, &managers, test.limit, hclog.NewNullLogger())
			if calls.MaxCalls != test.wantCalls {
				t.Errorf("max_calls is %d, want %d", calls.MaxCalls, test.wantCalls)
			}
			sum := uint64(calls.MaxCalls + calls.MaxHeld + managers.MaxLogins)
			if least := uint64(3); sum > max(test.limit/forStrangers, least)+least && test.limit != 0 {
				t.Errorf("strangers may have %d of %d files", sum, test.limit)
			}
			if calls.MaxHeld < 1 || managers.MaxLogins < 1 {
				t.Errorf("%d are held, %d log in: nothing would work", calls.MaxHeld, managers.MaxLogins)
			}
		})
	}
}

func TestTheFilesOfAFleetAreAddedUp(t *testing.T) {
	c := testConfig(t)
	c.Gateway.Port = freePort(t)
	c.Gateway.Devices = []gateway.DeviceConfig{{Name: "edge-1"}, {Name: "edge-2", Port: freePort(t)}}
	for i, d := range c.Gateway.Devices {
		at := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32)
		c.Callhome.Entries = append(c.Callhome.Entries, callhome.Entry{Name: d.Name, Address: at})
	}
	d, _ := startInside(t, c)
	want := fileNeeds{devices: 2, ownPorts: 2, sharedPorts: 2, strangers: callhome.DefaultMaxCalls + callhome.DefaultMaxHeld + gateway.DefaultMaxLogins}
	if got := d.fileNeeds(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	fleet := fileNeeds{devices: 10_000, ownPorts: 10_000, sharedPorts: 3, strangers: want.strangers}
	for limit, says := range map[uint64]string{
		65_536: "", 0: "", 26_723: "",
		26_722: "LimitNOFILE=26723 in its unit, or run ulimit -n 26723 before it: limit=26722 needed=26723 devices=10000 own_ports=10000 shared_ports=3 calls_and_logins=5632 managers=1024 rest=64",
	} {
		var out syncBuffer
		fleet.tell(limit, hclog.New(&hclog.LoggerOptions{Output: &out}))
		if text := out.String(); !strings.Contains(text, says) || (says == "") != (text == "") {
			t.Errorf("%d: %q", limit, text)
		}
	}
	// What fitFiles wants for strangers is not less.
	var out syncBuffer
	fileNeeds{devices: 1, strangers: 5000}.tell(1024, hclog.New(&hclog.LoggerOptions{Output: &out}))
	if !strings.Contains(out.String(), "LimitNOFILE=10000 ") {
		t.Errorf("%q", out.String())
	}
}
