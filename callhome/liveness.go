package callhome

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"callhome-gateway/internal/netconf"
)

// busyAfter is how long the answer to a global request may take before the
// device is shown as busy.
const busyAfter = 5 * time.Second

// liveness is how a link is kept alive and how its death is noticed.
type liveness struct {
	interval  time.Duration // silence after which a global request goes out
	deadAfter time.Duration // silence after which the device is dead
	idleRPC   time.Duration // silence on the control session after which it sends an RPC; 0 = never
	byReply   bool          // what TCP acknowledges says nothing about the device
}

// untilDue returns when the link must look at itself next: when a global
// request is due, or the device is dead. After a request that was not answered
// the next one follows after another interval.
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

// keepAlive does what is due: a global request, to have bytes that the
// device's TCP must acknowledge and to keep NAT mappings, and the RPC that
// resets NETCONF idle timers, which keepalives do not.
func (l *Link) keepAlive() {
	if l.lifeless() >= l.liveness.deadAfter && l.isDead() {
		return
	}
	if l.call.silence() >= l.liveness.interval {
		l.spawn(l.ping)
	}
	if l.idleRPCDue() {
		l.spawn(l.sendIdleRPC)
	}
}

// lifeless returns the time since the device's last sign of life: a byte, or
// an acknowledgement by its TCP.
func (l *Link) lifeless() time.Duration {
	silence := l.call.silence()
	if l.liveness.byReply || silence < l.liveness.interval {
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
		if !l.pinging.Load() {
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

// ping sends a global request and waits for the answer; any answer is life.
// While one is awaited it sends a request without an answer, for its bytes.
// SendRequest knows no deadline: it returns at the latest when the link ends.
func (l *Link) ping() {
	if !l.pinging.CompareAndSwap(false, true) {
		l.poke()
		return
	}
	_, _, _ = l.ssh.SendRequest("keepalive@openssh.com", true, nil)
	l.pinging.Store(false)
}

// poke sends bytes that ask for no answer but TCP's. Where the device takes
// nothing the write blocks; then there are bytes to acknowledge already.
func (l *Link) poke() {
	if l.poking.CompareAndSwap(false, true) {
		_, _, _ = l.ssh.SendRequest("keepalive@openssh.com", false, nil)
		l.poking.Store(false)
	}
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
const idleRequest = `<rpc xmlns="` + netconf.NamespaceBase + `" message-id="callhome-gateway-idle">` +
	`<get-config><source><running/></source><filter type="subtree"/></get-config></rpc>`

func (l *Link) sendIdleRPC() { _ = l.Control().sendDocument([]byte(idleRequest)) }

// describeNetwork puts the usual ends of a connection into words.
func describeNetwork(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the device closed the connection")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("the connection was reset by the device or the network")
	case errors.Is(err, syscall.ETIMEDOUT):
		return errors.New("the network went silent: nothing that was sent was acknowledged")
	}
	return errors.New(Quote(err.Error())) // the device's own words may be in it
}
