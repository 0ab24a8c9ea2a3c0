package callhome

import (
	"slices"
	"strings"
	"testing"
)

func TestWholeMessages(t *testing.T) {
	packet := func(kind byte) string { return "\x00\x00\x00\x03\x01" + string(kind) + "x" }
	record := func(kind byte) string { return string(kind) + "\x03\x03\x00\x02xx" }
	for _, c := range []struct {
		name  string
		frame func([]byte) (int, error)
		whole []string // each is whole only when its last byte has come
		rest  string   // is whole as it is
	}{
		{"packets", wholeSSH, []string{packet(20), packet(31)}, ""},
		{"version line and packet", wholeSSH, []string{"SSH-2.0-x\r\n", packet(20)}, ""},
		{"behind NEWKEYS", wholeSSH, []string{packet(31)}, packet(messageNewKeys) + "encrypted"},
		{"records", wholeTLS, []string{record(22), record(21), record(20), record(23)}, ""},
		{"no TLS", wholeTLS, nil, "HTTP/1.1 400"},
		{"no TLS behind a record", wholeTLS, []string{record(22)}, "SSH-2.0-x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ends := []int{0}
			for _, message := range c.whole {
				ends = append(ends, ends[len(ends)-1]+len(message))
			}
			all := strings.Join(c.whole, "") + c.rest
			for cut := range ends[len(ends)-1] + 1 {
				i, exact := slices.BinarySearch(ends, cut)
				if !exact {
					i--
				}
				if got, err := c.frame([]byte(all[:cut])); err != nil || got != ends[i] {
					t.Errorf("cut at %d: %d bytes are whole (%v), want %d", cut, got, err, ends[i])
				}
			}
			if got, err := c.frame([]byte(all)); err != nil || got != len(all) {
				t.Errorf("%d bytes are whole (%v), want %d", got, err, len(all))
			}
		})
	}
	if _, err := wholeSSH([]byte("\x00\x00\x88\xb9")); err == nil {
		t.Error("a packet of 35,001 bytes is not refused")
	}
}
