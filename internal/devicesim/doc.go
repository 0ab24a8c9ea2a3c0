// Package devicesim simulates NETCONF devices that call home (RFC 8071), for
// demos, tests and load: a device dials, and is the SSH or TLS server on the
// connection that it dialled. It is small but honest: it advertises only what
// it does, and answers the rest with the errors of RFC 6241.
//
// Five operations in its own namespace exist for tests: blob streams a reply of
// any size, sleep keeps the device busy, echo returns what it was given, notify
// makes an event happen, and flawed gets a reply with something wrong with it.
// Options make a device that is nasty in other ways.
package devicesim
