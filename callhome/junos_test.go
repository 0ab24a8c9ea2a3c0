package callhome

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// junosKey returns the same host key for the same number.
func junosKey(n byte) ssh.PublicKey {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		panic(err)
	}
	return key
}

// keyText is a key as a Junos device writes it.
func keyText(key ssh.PublicKey) string {
	return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n")
}

func macOf(text, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// junosLines is what a Junos device sends before its SSH version line, without
// HOST-KEY and HMAC where there is no key.
func junosLines(id string, key ssh.PublicKey, secret string) string {
	lines := "MSG-ID: DEVICE-CONN-INFO\r\nMSG-VER: V1\r\nDEVICE-ID: " + id + "\r\n"
	if key != nil {
		lines += "HOST-KEY: " + keyText(key) + "\r\nHMAC: " + macOf(keyText(key), secret) + "\r\n"
	}
	return lines
}

func TestParseClaim(t *testing.T) {
	text := keyText(junosKey(1))
	mac := macOf(text, "secret")
	const head = "MSG-ID: DEVICE-CONN-INFO\r\nMSG-VER: V1\r\n"
	named := head + "DEVICE-ID: abc123\r\n"
	for _, tt := range []struct {
		name, in string
		id       string
		key      bool
		foreign  string
		err      string // part of the error
	}{
		{name: "nothing"},
		{name: "a banner", in: "Welcome to r1!\r\nDEVICE-ID: not ours\r\n\r\n"},
		{name: "without a secret", in: named, id: "abc123"},
		{name: "with a secret", in: junosLines("abc123", junosKey(1), "secret"), id: "abc123", key: true},
		{name: "LF alone, no blanks", in: "MSG-ID:DEVICE-CONN-INFO\nMSG-VER:V1\nDEVICE-ID:abc123\nHOST-KEY:" + text + "\nHMAC:" + mac + "\n", id: "abc123", key: true},
		{name: "the HMAC in upper case", in: named + "HOST-KEY: " + text + "\r\nHMAC: " + strings.ToUpper(mac) + "\r\n", id: "abc123", key: true},
		{name: "NULs behind the key", in: named + "HOST-KEY: " + text + "\x00\x00\r\nHMAC:" + mac + "\r\n", id: "abc123", key: true},
		{name: "empty lines behind", in: junosLines("abc123", junosKey(1), "secret") + "\r\n\r\n", id: "abc123", key: true},
		{name: "another order, other lines between", in: "hello\r\nHMAC: " + mac + "\r\nDEVICE-ID: abc123\r\nX: y\r\nHOST-KEY: " + text + "\r\nMSG-VER: V1\r\nMSG-ID: DEVICE-CONN-INFO\r\n", id: "abc123", key: true},
		{name: "an id with blanks and colons in it", in: head + "DEVICE-ID: rack 4: left \r\n", id: "rack 4: left"},
		{name: "the longest id", in: head + "DEVICE-ID: " + strings.Repeat("a", 255) + "\r\n", id: strings.Repeat("a", 255)},
		{name: "no key, in words", in: named + "HOST-KEY:\r\nHMAC:\r\n", id: "abc123"},
		{name: "another message", in: "MSG-ID: DEVICE-GONE\r\nDEVICE-ID: a\r\nDEVICE-ID: b\r\n", foreign: `MSG-ID "DEVICE-GONE"`},
		{name: "another version", in: "MSG-ID: DEVICE-CONN-INFO\r\nMSG-VER: V2\r\nHMAC: x\r\n", foreign: `MSG-VER "V2"`},
		{name: "too long an id", in: head + "DEVICE-ID: " + strings.Repeat("a", 256) + "\r\n", err: "more than 255 bytes"},
		{name: "no id", in: head, err: "no DEVICE-ID"},
		{name: "an empty id", in: head + "DEVICE-ID: \r\n", err: "no DEVICE-ID"},
		{name: "no version", in: "MSG-ID: DEVICE-CONN-INFO\r\nDEVICE-ID: a\r\n", err: "no MSG-VER"},
		{name: "two ids", in: named + "DEVICE-ID: other\r\n", err: "two lines begin with DEVICE-ID"},
		{name: "two keys", in: junosLines("a", junosKey(1), "secret") + "HOST-KEY: " + text + "\r\n", err: "two lines begin with HOST-KEY"},
		{name: "two HMACs", in: junosLines("a", junosKey(1), "secret") + "HMAC: " + mac + "\r\n", err: "two lines begin with HMAC"},
		{name: "two messages", in: named + head, err: "two lines begin with MSG-"},
		{name: "a key without an HMAC", in: named + "HOST-KEY: " + text + "\r\n", err: "a HOST-KEY, but no HMAC"},
		{name: "an HMAC without a key", in: named + "HMAC: " + mac + "\r\n", err: "an HMAC, but no HOST-KEY"},
		{name: "half an HMAC", in: named + "HOST-KEY: " + text + "\r\nHMAC: " + mac[:20] + "\r\n", err: "not one of 40 hex digits"},
		{name: "an HMAC of letters", in: named + "HOST-KEY: " + text + "\r\nHMAC: " + strings.Repeat("z", 40) + "\r\n", err: "not one of 40 hex digits"},
		{name: "a type alone", in: named + "HOST-KEY: ssh-rsa\r\nHMAC: " + mac + "\r\n", err: "not a type and a key"},
		{name: "a type that nobody is asked for", in: named + "HOST-KEY: ssh-dss AAAA\r\nHMAC: " + mac + "\r\n", err: `the type "ssh-dss"`},
		{name: "a key of another type", in: named + "HOST-KEY: ssh-rsa " + strings.Fields(text)[1] + "\r\nHMAC: " + mac + "\r\n", err: "no key of the type ssh-rsa"},
		{name: "a key that is cut", in: named + "HOST-KEY: " + text[:len(text)-8] + "\r\nHMAC: " + mac + "\r\n", err: "no key of the type ssh-ed25519"},
		{name: "a NUL in the key", in: named + "HOST-KEY: ssh-ed25519 AA\x00AA\r\nHMAC: " + mac + "\r\n", err: "no base64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseClaim([]byte(tt.in))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("error %v, want one with %q", err, tt.err)
			}
			if got.deviceID != tt.id || got.foreign != tt.foreign {
				t.Errorf("id %q, foreign %q, want %q and %q", got.deviceID, got.foreign, tt.id, tt.foreign)
			}
			if tt.key && (got.hostKey != auth.SSHIdentity(junosKey(1)) || !got.madeWith("secret") || got.madeWith("other")) {
				t.Errorf("the host key is %v, the HMAC made with the secret: %t", got.hostKey, got.madeWith("secret"))
			}
			if !tt.key && (!got.hostKey.IsZero() || got.mac != nil) {
				t.Errorf("a host key %v from nowhere", got.hostKey)
			}
		})
	}
}

// checkClaim checks what holds for the claims in all preambles.
func checkClaim(t *testing.T, preamble []byte) {
	c, err := parseClaim(preamble)
	switch {
	case err != nil && (c.deviceID != "" || c.mac != nil):
		t.Fatal("a claim with an error")
	case len(c.deviceID) > maxDeviceID || c.mac != nil && c.deviceID == "":
		t.Fatalf("the device id is %q", c.deviceID)
	case (c.mac == nil) != c.hostKey.IsZero() || (c.mac == nil) != (c.keyText == nil) || c.mac != nil && len(c.mac) != sha1.Size:
		t.Fatal("one of key and HMAC without the other")
	}
}

func TestALargeKeyFitsIntoAPreamble(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	// To make one of 8192 bits takes long: only its size matters.
	private.N.Lsh(private.N, 8192-2048).SetBit(private.N, 0, 1)
	key, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	preamble := junosLines(strings.Repeat("a", maxDeviceID), key, "secret")
	version, err := scanPreamble([]byte(preamble + "SSH-2.0-x\r\n"))
	if err != nil || version != len(preamble) {
		t.Fatalf("offset %d, error %v", version, err)
	}
	if c, err := parseClaim([]byte(preamble)); err != nil || c.hostKey != auth.SSHIdentity(key) || !c.madeWith("secret") {
		t.Errorf("the claim is %v, error %v", c.hostKey, err)
	}
}

// calling returns a call from the other end of the connection.
func calling(t *testing.T) (c *call, device net.Conn) {
	t.Helper()
	s, err := New(Options{Memory: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	device, gateway := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, device) }() // our version line
	return &call{server: s, conn: newCallConn(gateway), at: time.Now()}, device
}

// TestAPreambleIsCutAtEveryByte has a device send a part of the real thing and
// then nothing more, or go away.
func TestAPreambleIsCutAtEveryByte(t *testing.T) {
	const version = "SSH-2.0-OpenSSH_7.5\r\n"
	keyed := strings.Replace(junosLines("abc123", junosKey(1), "secret"), "\r\nHMAC", "\x00\r\nHMAC", 1)
	for _, whole := range []string{junosLines("abc123", nil, "") + version, keyed + version} {
		for end := range len(whole) {
			for _, gone := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					c, device := calling(t)
					defer device.Close()
					go func() {
						_, _ = io.WriteString(device, whole[:end])
						if gone {
							_ = device.Close()
						}
					}()
					want := TimedOut
					if gone {
						want = FailedPreamble
					}
					if r := c.preamble(t.Context()); r == nil || r.reason != want || c.claim.deviceID != "" {
						t.Fatalf("%d of %d bytes, gone %t: %v, want %s", end, len(whole), gone, r, want)
					}
					if !gone && time.Since(c.at) != keyExchangeTimeout {
						t.Fatalf("%d bytes: it took %s", end, time.Since(c.at))
					}
				})
			}
		}
	}
}

// TestAClaimIsReadWhateverItsPieces cuts the whole preamble in two at every
// byte, its NULs included.
func TestAClaimIsReadWhateverItsPieces(t *testing.T) {
	lines := strings.Replace(junosLines("abc123", junosKey(1), "secret"), "\r\nHMAC", "\x00\x00\r\nHMAC", 1)
	whole := lines + "SSH-2.0-x\r\n"
	for cut := 1; cut < len(whole); cut++ {
		synctest.Test(t, func(t *testing.T) {
			c, device := calling(t)
			defer device.Close()
			go func() {
				_, _ = io.WriteString(device, whole[:cut])
				_, _ = io.WriteString(device, whole[cut:])
			}()
			if r := c.preamble(t.Context()); r != nil {
				t.Fatalf("cut at %d: %v", cut, r)
			}
			if c.info.DeviceID != "abc123" || c.claim.hostKey != auth.SSHIdentity(junosKey(1)) || !c.claim.madeWith("secret") {
				t.Fatalf("cut at %d: the claim is %q with the key %v", cut, c.info.DeviceID, c.claim.hostKey)
			}
		})
	}
}

func TestAMalformedPreambleIsToldInASentence(t *testing.T) {
	good := junosLines("abc123", junosKey(1), "the-secret")
	for _, tt := range []struct{ name, lines, detail string }{
		{"a field twice", good + "DEVICE-ID: abc124\r\n", "malformed: two lines begin with DEVICE-ID"},
		{"one long line", good + "X: " + strings.Repeat("x", maxPreambleBytes) + "\r\n", "more than 8192 bytes"},
		{"many lines", good + strings.Repeat("\r\n", maxPreambleLines), "more than 64 lines"},
		{"a long id", strings.Replace(good, "abc123", strings.Repeat("a", 256), 1), "more than 255 bytes"},
		{"a NUL in the id", strings.Replace(good, "abc123", "abc\x00123", 1), "not an SSH server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, device := calling(t)
			go func() {
				_, _ = io.WriteString(device, tt.lines)
				_, _ = io.WriteString(device, "SSH-2.0-x\r\n")
			}()
			r := c.preamble(t.Context())
			_ = device.Close()
			if r == nil || r.reason != FailedPreamble || !strings.Contains(r.detail, tt.detail) {
				t.Fatalf("%v, want %s with %q", r, FailedPreamble, tt.detail)
			}
		})
	}
}
