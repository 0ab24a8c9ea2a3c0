package callhome

import (
	"context"
	"errors"

	"callhome-gateway/auth"
)

// Settings are checked options that a Server can be given while it runs.
type Settings struct{}

// Check returns the options as Settings for Use, or what is wrong with them.
// The listeners are all for which ServeListener runs or will run: what holds for
// the calls on each is looked up here by Name and Transport.
func (s *Server) Check(o Options, listeners []Listener) (*Settings, error) {
	return nil, errors.New("this is not there yet")
}

// Use has all calls from now on decided by other settings, those in progress
// included. Exactly the links end, each for a reason that the log shows, whose
// devices would not come in any more as they did; it returns how many, without
// waiting for their end. Memory, Attach, Detach, Outcome, Log and the bounds
// stay as they were given to New.
func (s *Server) Use(set *Settings) (ended int) { return 0 }

// Drain ends all links for that reason, no more than rate of them a second, so
// that their devices do not call the next gateway all at once. It returns when
// the last has ended, or when ctx ends. No listener should be served any more.
func (s *Server) Drain(ctx context.Context, rate int, reason error) {}

// ClearFailures forgets the refused logins for which match is true, and returns
// how many.
func (s *Server) ClearFailures(match func(auth.Failure) bool) int { return 0 }
