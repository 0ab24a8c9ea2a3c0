package callhome

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"callhome-gateway/internal/netconf"
)

// busyAfter is how long an answer may take before the device is shown as busy.
const busyAfter = 5 * time.Second

// Busy reports that the device acknowledges but does not answer: it is at work
// on a long RPC, as libnetconf2 is for as long as one lasts. On SSH a global
// request tells, on TLS an RPC that waits for its answer.
func (l *Link) Busy() bool {
	owes := l.bearer.owesAnswer()
	if l.bearer.transport() == TLS {
		owes = l.outstanding.Load() > 0 && !l.handling.Load()
	}
	return owes && l.call.silence() > busyAfter
}

// liveness is how a link is kept alive and how its death is noticed.
type liveness struct {
	interval  time.Duration // silence after which the device is made to show life
	deadAfter time.Duration // silence after which the device is dead
	idleRPC   time.Duration // silence on the control session after which it sends an RPC; 0 = never
	byReply   bool          // what TCP acknowledges says nothing about the device
}

// untilDue returns when the link must look at itself next: when the device must
// show life, or is dead. After a request that was not answered the next one
// follows after another interval.
func (l *Link) untilDue() time.Duration {
	due := l.liveness.interval - l.call.silence()
	if due <= 0 {
		due = l.liveness.interval
	}
	if left := l.liveness.deadAfter - l.lifeless(); left > 0 {
		due = min(due, left)
	}
	if l.liveness.idleRPC > 0 {
		due = min(due, l.liveness.idleRPC)
	}
	return due
}

// keepAlive does what is due: to have the device show life, and the RPC that
// resets NETCONF idle timers, which keepalives do not. It does not block.
func (l *Link) keepAlive() {
	if l.lifeless() >= l.liveness.deadAfter && l.isDead() {
		return
	}
	if l.call.silence() >= l.liveness.interval {
		l.bearer.keepAlive()
	}
	if l.idleRPCDue() {
		l.spawn(l.sendIdleRPC)
	}
}

// lifeless returns the time since the device's last sign of life: a byte, or
// an acknowledgement by its TCP.
func (l *Link) lifeless() time.Duration {
	silence := l.call.silence()
	switch {
	case l.liveness.byReply && l.handling.Load():
		return 0 // a manager keeps us from reading
	case l.liveness.byReply, silence < l.liveness.interval:
		return silence
	}
	if tcp, err := l.call.tcpState(); err == nil {
		silence = min(silence, tcp.silence)
	}
	return silence
}

// isDead ends the link of a device that has given no sign of life for long. It
// looks at what TCP has acknowledged, and not at TCP_USER_TIMEOUT: Linux lets
// that end connections whose other end acknowledges every window probe but
// takes no data, as a busy libnetconf2 device does.
func (l *Link) isDead() bool {
	if l.liveness.byReply {
		if !l.bearer.owesAnswer() {
			return false
		}
		l.end(fmt.Errorf("the device has answered nothing for %s", l.liveness.deadAfter))
		return true
	}
	tcp, err := l.call.tcpState()
	if err != nil || !tcp.waiting || tcp.windowClosed() {
		return false
	}
	l.end(fmt.Errorf("the network went silent: nothing that was sent was acknowledged for %s", tcp.silence.Round(time.Second)))
	return true
}

// idleRPCDue reports whether the control session has been silent for long. A
// device that is at work on an RPC is left alone for as long again: an RPC
// that is never answered (yuma drops some) must not cost the link its timer.
func (l *Link) idleRPCDue() bool {
	control := l.Control()
	if l.liveness.idleRPC == 0 || control == nil {
		return false
	}
	idle := control.idle()
	if l.outstanding.Load() > 0 {
		return idle >= 2*l.liveness.idleRPC
	}
	return idle >= l.liveness.idleRPC
}

// idleRequest asks for nothing: an empty subtree filter selects no data (RFC
// 6241 section 6.4.2). Any answer, also an rpc-error, resets the idle timer.
const idleRequest = `<rpc xmlns="` + netconf.NamespaceBase + `" message-id="` + idleID + `">` +
	`<get-config><source><running/></source><filter type="subtree"/></get-config></rpc>`

// idleID tells the replies to idle RPCs from those to a Trunk's messages.
const idleID = "callhome-gateway-idle"

// sendIdleRPC does nothing while one is being written: that may last, behind a
// message that the device does not take.
func (l *Link) sendIdleRPC() {
	if l.idleSending.CompareAndSwap(false, true) {
		l.idleOwed.Add(1)
		_ = l.Control().sendDocument([]byte(idleRequest))
		l.idleSending.Store(false)
	}
}

// idleAnswered counts the answer to an idle RPC, unless none was owed.
func (l *Link) idleAnswered() {
	if l.idleOwed.Add(-1) < 0 {
		l.idleOwed.Add(1)
	}
}

// deviceEnd is why a link ended where the device did it, or the network in its name.
type deviceEnd string

func (e deviceEnd) Error() string { return string(e) }

// describeNetwork puts the usual ends of a connection into words.
func describeNetwork(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return deviceEnd("the device closed the connection")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return deviceEnd("the connection was reset by the device or the network")
	case errors.Is(err, syscall.ETIMEDOUT):
		return errors.New("the network went silent: nothing that was sent was acknowledged")
	}
	return deviceEnd(escape(err.Error())) // its own words may be in it
}
