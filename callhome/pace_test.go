package callhome

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// paced is a call over SSH that has sent its version line.
func paced(t *testing.T) (*pace, net.Conn) {
	s, err := New(Options{Memory: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	gateway, device := net.Pipe()
	t.Cleanup(func() { _, _ = device.Close(), gateway.Close() })
	c := &call{server: s, conn: newCallConn(gateway), at: time.Now(), arrival: s.arrivalOf(addrA)}
	c.place = s.calls.Enter(c.arrival)
	c.conn.replay = []byte("SSH-2.0-x\r\n")
	return c.pace(t.Context(), wholeSSH), device
}

const somePacket = "\x00\x00\x00\x03\x01\x14x"

func TestADeviceThatWaitsForOurPacketGetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := paced(t)
		begin := time.Now()
		if err := p.awaitPacket(); err != nil || time.Since(begin) != speakAfter {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		// What it has sent is there to be read.
		if n, err := io.ReadFull(p.conn, make([]byte, len("SSH-2.0-x\r\n"))); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	})
}

func TestAMessageByteByByteCostsOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, device := paced(t)
		gate := p.ticket.gate
		idle := gate.idle
		go func() {
			for _, b := range []byte(somePacket + somePacket) {
				time.Sleep(100 * time.Millisecond)
				_, _ = device.Write([]byte{b})
			}
		}()
		if err := p.awaitPacket(); err != nil {
			t.Fatal(err)
		}
		if gate.idle != idle || gate.handshakes.Taken() != 0 {
			t.Error("there was a handshake before its first message was whole")
		}
		if err := p.take(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(50*time.Millisecond, func() {
			gate.mu.Lock()
			defer gate.mu.Unlock()
			if gate.idle != idle {
				t.Error("it has a turn while its device is waited for")
			}
		})
		got := make([]byte, len("SSH-2.0-x\r\n"+somePacket+somePacket))
		if _, err := io.ReadFull(p.conn, got); err != nil || !strings.HasSuffix(string(got), somePacket+somePacket) {
			t.Errorf("read %q: %v", got, err)
		}
		if p.ticket.turns != 2 || gate.idle != idle-1 {
			t.Errorf("it had %d turns, and %d are idle of %d", p.ticket.turns, gate.idle, idle)
		}
		p.stop()
		p.ticket.leave()
	})
}

func TestADripDoesNotOutliveItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, device := paced(t)
		var writer sync.WaitGroup
		writer.Go(func() {
			for _, b := range []byte("\x00\x00\x88\x00" + strings.Repeat("x", 1000)) {
				if _, err := device.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		begin := time.Now()
		if err := p.awaitPacket(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != keyExchangeTimeout {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		if !p.conn.timedOut() {
			t.Error("it is not known why it failed")
		}
		_ = device.Close()
		writer.Wait() // the bubble's time stops with this goroutine
	})
}
