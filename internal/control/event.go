package control

import "time"

// The kinds of an Event.
const (
	EventConnected    = "connected"
	EventAway         = "away"
	EventRejected     = "rejected" // a call of a known device that was not accepted
	EventPending      = "pending"
	EventFlapping     = "flapping"
	EventSessionBegin = "session-begin"
	EventSessionEnd   = "session-end"
	EventLoginRefused = "login-refused"
	EventOperator     = "operator" // an operator has changed something
	EventReload       = "reload"
	EventMissed       = "missed" // whoever follows was too slow
)

// Event is something that has happened. Strings may come from outside: whoever
// shows them must escape them.
type Event struct {
	// Number counts the events since the gateway has started, from 1.
	Number  uint64    `json:"number"`
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Device  string    `json:"device,omitempty"`
	Manager string    `json:"manager,omitempty"`
	Address string    `json:"address,omitempty"`
	// Reason is the reason code of a call that was rejected, Detail a sentence.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Unsaid is how many like it there were since the last that was told.
	Unsaid int `json:"unsaid,omitempty"`
}
