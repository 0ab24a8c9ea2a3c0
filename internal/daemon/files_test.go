package daemon

import (
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
