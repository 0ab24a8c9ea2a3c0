package control

import "time"

// CallhomeServer is the state of what accepts calls.
type CallhomeServer struct {
	// Running says that calls are accepted, Enabled that they are from the start.
	Running bool `json:"running"`
	Enabled bool `json:"enabled"`
	// Since is when an operator has started or stopped it; zero if nobody has
	// since the gateway runs.
	Since     time.Time         `json:"since,omitzero"`
	Listeners []CallhomeAddress `json:"listeners"`
}

// CallhomeAddress is one port for calls.
type CallhomeAddress struct {
	// Listener is its name; empty for the main one.
	Listener  string `json:"listener"`
	Transport string `json:"transport"`
	Address   string `json:"address"`
	Listening bool   `json:"listening"`
}

// StartRequest starts to accept calls. What is zero is as configured.
type StartRequest struct {
	// Address and the ports are of the main listener; a port of 0 listens nowhere.
	Address string  `json:"address,omitempty"`
	Port    *uint16 `json:"port,omitempty"`
	TLSPort *uint16 `json:"tls_port,omitempty"`
}
