package gateway

import (
	"context"
	"errors"
	"time"
)

// ending is how a manager session ends.
type ending struct {
	// reason is for the log; detail may come from outside.
	reason string
	detail error
	// sentence is for the person on the other side; empty when there is
	// nothing to explain.
	sentence string
	status   uint32 // exit status
	// abrupt endings do not wait for a manager that is slow to read.
	abrupt bool
}

func (e *ending) Error() string { return e.reason }

// values returns the reason as the log shows it.
func (e *ending) values() []any {
	values := []any{"reason", e.reason}
	if e.detail != nil {
		values = append(values, "detail", logged(e.detail.Error()))
	}
	return values
}

// abruptGrace is how long a manager has for a clean end where nothing is left
// to wait for; a blocked write is cut off then.
const abruptGrace = time.Second

// grace returns how long a manager may take to read what is left and to
// confirm the end.
func (e *ending) grace(stall time.Duration) time.Duration {
	if e.abrupt {
		return min(abruptGrace, stall)
	}
	return stall
}

// Endings that need no details.
var (
	endedByManager = &ending{reason: "the manager ended the session"}
	endedByDevice  = &ending{reason: "the device ended the session"}
	endedByGateway = &ending{
		reason: "the gateway is stopping", sentence: "the gateway is stopping", status: 1, abrupt: true,
	}
	killed = &ending{reason: "another manager has killed the session",
		sentence: "another manager has ended this session with kill-session", status: 1, abrupt: true}
)

// endingOf returns why ctx was cancelled.
func endingOf(ctx context.Context) *ending {
	var e *ending
	if errors.As(context.Cause(ctx), &e) {
		return e
	}
	return endedByGateway
}

// refused is the ending of a session that never was.
func refused(reason, sentence string) *ending {
	return &ending{reason: reason, sentence: sentence, status: 1}
}

// linkEnded is the ending of a session whose device is gone.
func linkEnded(l link) *ending {
	return &ending{
		reason: "the device's connection ended", detail: l.Err(),
		sentence: "the connection of the device has ended", status: 1, abrupt: true,
	}
}
