package callhome

import "time"

// keepAliveProbes has the kernel ask the device's TCP for an acknowledgement
// after each interval of silence, in whole seconds, and end the connection when
// none has come for about deadAfter.
func (c *callConn) keepAliveProbes(interval, deadAfter time.Duration) {
	interval = max(interval, time.Second)
	c.setKeepAliveIdle(interval)
	c.setKeepAlive(interval, max(1, int((deadAfter+interval-1)/interval)-1))
}

// tcpState is what the kernel knows of a connection's other end.
type tcpState struct {
	established bool
	segmentsIn  uint32
	window      uint32 // what the device would take, in bytes
	probesOut   uint8  // window probes that it has not answered
	unsent      bool
	// waiting says that something was sent, or is to be, that the device has
	// not acknowledged; silence is the time since it last acknowledged or sent.
	waiting bool
	silence time.Duration
}

// windowClosed tells a device that takes no data at present but answers when it
// is asked, one question perhaps being on its way: the kernel asks ever more
// rarely, so that a time without a segment proves nothing.
func (t tcpState) windowClosed() bool { return t.unsent && t.window == 0 && t.probesOut <= 1 }
