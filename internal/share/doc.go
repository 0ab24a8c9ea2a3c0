// Package share lets several managers use one NETCONF session with a device.
// To each it speaks as if it were the device: with a session-id of its own,
// with its own message-ids, and with the locks, the candidate, the confirmed
// commit and the subscription that a session of its own would have, as far as
// one session with the device can honour that.
//
// One rpc is outstanding on the device session (the trunk) at a time; whoever
// has its turn (turn.go) holds it. What a manager may do (policy.go) is decided
// when its turn could begin: no reply is outstanding then, so that what the
// device's replies said (effect.go) is all there is to know. Replies stream
// from the trunk's reader to the manager's Next (inbox.go): nothing is kept,
// and who reads slowly is waited for until the session is closed. Behind one
// who leaves the gateway cleans up (leave.go) before anybody else has a turn;
// what cannot be undone ends the link, with which the device releases all.
//
// Ids of sessions inside of bodies are not rewritten: what the device says of
// its sessions (RFC 6022) shows one for all managers.
package share
