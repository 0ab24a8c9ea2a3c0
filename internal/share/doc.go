// Package share lets several managers use one NETCONF session with a device.
// To each it speaks as if it were the device: with a hello and a session-id of
// its own, with its own message-ids, and with the locks, the candidate, the
// confirmed commit and the subscription of a session of its own, as far as one
// session with the device can honour that.
//
// One rpc is outstanding on the device session (the trunk) at a time; whoever
// has its turn holds it. What a manager may do is decided when its turn could
// begin: no reply is outstanding then, so that the device's state is known.
package share
