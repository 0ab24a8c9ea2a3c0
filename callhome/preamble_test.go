package callhome

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestScanPreamble(t *testing.T) {
	const version = "SSH-2.0-OpenSSH_9.2p1\r\n"
	for _, tt := range []struct {
		name, in string
		version  int    // offset; -1 where more must be read
		err      string // part of the error
	}{
		{"version", version, 0, ""},
		{"version without CR", "SSH-2.0-x\n", 0, ""},
		{"old-compatible version", "SSH-1.99-Cisco-1.25\n", 0, ""},
		{"key exchange right behind it", version + "\x00\x00\x01\xfc\a\x14", 0, ""},
		{"nothing", "", -1, ""},
		{"half a version", "SSH-2.0-Open", -1, ""},
		{"banner first", "Welcome!\r\n\r\n" + version, 12, ""},
		{"junos", "MSG-ID: DEVICE-CONN-INFO\r\nMSG-VER: V1\r\nDEVICE-ID: r1\r\n" + version, 54, ""},
		{"ssh 1", "SSH-1.5-old\r\n", -1, `the device speaks "SSH-1.5-old", not SSH 2.0`},
		{"long version", "SSH-2.0-" + strings.Repeat("x", 300), -1, "more than 255 bytes"},
		{"http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", -1, `an HTTP request ("GET")`},
		{"tls", "\x16\x03\x01\x02\x00\x01", -1, "speaks TLS"},
		{"binary", "ab\x00\x01\x02\x1b[31m", -1, `it sent "ab\x00\x01\x02\x1b[31m"`},
		{"one long line", strings.Repeat("a", maxPreambleBytes+1), -1, "more than 8192 bytes without"},
		{"many lines", strings.Repeat("a\n", maxPreambleLines+1), -1, "more than 64 lines"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := scanPreamble([]byte(tt.in))
			if got != tt.version {
				t.Errorf("offset %d, want %d", got, tt.version)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
		})
	}
}

func FuzzPreamble(f *testing.F) {
	f.Add([]byte("MSG-ID: DEVICE-CONN-INFO\r\nSSH-2.0-x\r\n"))
	f.Add([]byte("\x16\x03\x01\x02\x00"))
	f.Add([]byte(junosLines("r1", junosKey(1), "secret") + "SSH-2.0-x\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		version, err := scanPreamble(in)
		if err != nil && version != -1 {
			t.Fatalf("offset %d with an error", version)
		}
		if version >= 0 && !strings.HasPrefix(string(in[version:]), "SSH-") {
			t.Fatalf("no version line at %d", version)
		}
		if version < 0 && err == nil && len(in) > maxPreambleBytes+maxVersionLine {
			t.Fatal("would read on without a bound")
		}
		if version >= 0 {
			checkClaim(t, in[:version])
		}
	})
}

func TestPreambleIsReplayedWholeWhateverItsPieces(t *testing.T) {
	const sent = "hello there\r\nSSH-2.0-device\r\nkey exchange"
	for cut := 1; cut < len(sent); cut++ {
		synctest.Test(t, func(t *testing.T) {
			device, gateway := net.Pipe()
			c := newCallConn(gateway)
			go func() {
				_, _ = io.WriteString(device, sent[:cut])
				_, _ = io.WriteString(device, sent[cut:])
				_ = device.Close()
			}()
			if _, err := readPreamble(c, time.Now().Add(time.Minute)); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			_ = c.SetDeadline(time.Time{})
			got, _ := io.ReadAll(c)
			if want := sent[len("hello there\r\n"):]; string(got) != want {
				t.Fatalf("cut at %d: replayed %q, want %q", cut, got, want)
			}
		})
	}
}

func TestDeviceThatWaitsForOurVersionIsGreeted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device, gateway := net.Pipe()
		defer device.Close()
		c := newCallConn(gateway)
		greeting := make(chan string)
		go func() {
			line := make([]byte, len(clientVersion)+2)
			_, _ = io.ReadFull(device, line)
			_, _ = io.WriteString(device, "SSH-2.0-shy\r\n")
			greeting <- string(line)
			next := make([]byte, 4)
			_, _ = io.ReadFull(device, next)
			greeting <- string(next)
		}()
		if _, err := readPreamble(c, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := <-greeting; got != clientVersion+"\r\n" {
			t.Errorf("the device was greeted with %q", got)
		}
		// x/crypto sends its version line itself: once is enough.
		_ = c.SetDeadline(time.Time{})
		_, _ = c.Write([]byte(clientVersion + "\r\n"))
		_, _ = c.Write([]byte("next"))
		if got := <-greeting; got != "next" {
			t.Errorf("the device read %q after the greeting", got)
		}
	})
}

func TestSilentDeviceTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device, gateway := net.Pipe()
		defer device.Close()
		go func() { _, _ = io.Copy(io.Discard, device) }()
		start := time.Now()
		if _, err := readPreamble(newCallConn(gateway), start.Add(20*time.Second)); err != errSilent {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("gave up after %s", took)
		}
	})
}
