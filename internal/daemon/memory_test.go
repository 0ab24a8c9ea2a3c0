package daemon

import "testing"

func TestAFloodIsNoStorm(t *testing.T) {
	calls, accepted := 4000, 10
	s := &stormGauge{calls: func() int { return calls }, accepted: func() int { return accepted }}
	s.tick()
	s.tick()
	if n := s.size(); n != 0 {
		t.Errorf("4000 strangers count as %d devices", n)
	}
	accepted += 900
	if n := s.size(); n != 900 {
		t.Errorf("900 devices that were let in count as %d", n)
	}
	s.tick()
	if calls = 50; s.size() != 50 {
		t.Errorf("50 calls count as %d", s.size())
	}
	if s.tick(); s.size() != 0 {
		t.Errorf("a storm that is over counts as %d", s.size())
	}
}
