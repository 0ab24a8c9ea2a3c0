package devicesim

import (
	"io"
	"strconv"
	"testing"
)

// BenchmarkBlob tells what the simulator can deliver to one session, which
// bounds what can be measured with it.
func BenchmarkBlob(b *testing.B) {
	const size = 64 << 20
	d := newDevice(b, nil)
	c := open(b, login(b, serve(b, d)))
	b.SetBytes(size)
	for b.Loop() {
		c.send(`<blob` + simXMLNS + `><size>` + strconv.Itoa(size) + `</size></blob>`)
		m, err := c.Next()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, m.Body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoundTrip tells how long a small RPC takes without a gateway.
func BenchmarkRoundTrip(b *testing.B) {
	d := newDevice(b, nil)
	c := open(b, login(b, serve(b, d)))
	for b.Loop() {
		c.do(`<echo` + simXMLNS + `/>`)
	}
}
