package callhome

import (
	"context"
	"errors"
	"os"
	"time"

	"callhome-gateway/auth"
)

// speakAfter is how long a device that has sent its version line may take for
// the first byte of its first packet, before the key exchange begins without:
// some may wait for ours.
const speakAfter = 500 * time.Millisecond

// pace reads for a handshake that computes in turns. x/crypto and crypto/tls
// read in the goroutine that computes, so that a read which must wait for the
// device is where the turn ends. It is taken again when a whole message has
// come: a message that comes byte by byte costs one turn too.
type pace struct {
	ctx    context.Context
	conn   *callConn
	ticket *ticket
	// place is that of the call.
	place *auth.Place
	// frame returns how much of what has come is whole, and whole is that.
	frame func([]byte) (int, error)
	whole int
	// left is the time that the device still has for its part.
	left time.Duration
	// starved is why a turn was not granted.
	starved error
}

// pace has the connection read so until stop. The time for the handshake begins.
func (c *call) pace(ctx context.Context, frame func([]byte) (int, error)) *pace {
	c.ticket = c.server.gate.ticket(c.arrival, c.at)
	p := &pace{ctx: ctx, conn: c.conn, ticket: c.ticket, place: c.place, frame: frame, left: keyExchangeTimeout}
	c.conn.pace = p
	return p
}

// awaitPacket waits for the packet behind the version line, if there is more
// to come at all. A handshake takes memory, and is not begun for less.
func (p *pace) awaitPacket() error {
	p.place.Waiting(true)
	defer p.place.Waiting(false)
	line := versionLine(p.conn.replay)
	if len(p.conn.replay) == line {
		err := p.more(min(p.left, speakAfter))
		switch {
		case p.conn.closed.Load():
			return err
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.whole = line
			return nil
		case err != nil:
			return p.conn.note(err)
		}
	}
	return p.await(line)
}

// take waits for the first turn.
func (p *pace) take() error { return p.granted(p.ticket.take(p.ctx)) }

// read waits for a whole message if none is left, and then for a turn.
func (p *pace) read(b []byte) (int, error) {
	if p.whole == 0 {
		p.ticket.pause()
		p.place.Waiting(true)
		if err := p.await(0); err != nil {
			return 0, err
		}
		p.place.Waiting(false)
		if err := p.granted(p.ticket.resume(p.ctx)); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.conn.replay[:p.whole])
	p.whole -= n
	p.conn.consume(n)
	return n, nil
}

// granted begins a turn, if there is no error. What is written in it may take
// as long as the device still has.
func (p *pace) granted(err error) error {
	if p.starved = err; err != nil {
		return err
	}
	return p.conn.SetWriteDeadline(time.Now().Add(p.left))
}

// await reads until more than so many bytes are whole.
func (p *pace) await(bytes int) (err error) {
	for {
		if p.whole, err = p.frame(p.conn.replay); err != nil || p.whole > bytes {
			return err
		}
		if err = p.more(p.left); err != nil {
			return p.conn.note(err)
		}
	}
}

// more reads once, for as long as the device may take.
func (p *pace) more(wait time.Duration) (err error) {
	begin := time.Now()
	had := len(p.conn.replay)
	p.conn.replay, err = readMore(p.conn, p.conn.replay, begin.Add(wait))
	p.left -= time.Since(begin)
	if len(p.conn.replay) > had {
		p.conn.touch()
	}
	return err
}

// stop gives the turn back for good: the device is known by what it has proved.
func (p *pace) stop() {
	p.conn.pace = nil
	p.ticket.giveBack()
}

// trusted says whether somebody has vouched for the device. If so, the call
// cannot be evicted any more, however long its login takes.
func (p *pace) trusted(is bool) {
	if is {
		p.place.Vouch()
		p.ticket.place.Vouch()
		p.ticket.leave()
		return
	}
	p.place.Waiting(true)
	p.ticket.pause()
}
