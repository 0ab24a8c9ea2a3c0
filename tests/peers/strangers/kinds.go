package main

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// kinds are what strangers do. Each returns when the other side has closed the
// connection.
var kinds = map[string]func(net.Conn){
	"silence": hang,

	// to the port for SSH
	"HTTP":           sends(func() string { return "GET / HTTP/1.1\r\nHost: gateway\r\n\r\n" }),
	"TLS hello":      sends(func() string { return "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + noise(200) }),
	"noise":          sends(func() string { return noise(512) }),
	"endless lines":  lines,
	"version alone":  sends(func() string { return version }),
	"half a version": sends(func() string { return "SSH-2.0-" }),
	"dripping SSH":   func(c net.Conn) { drip(c, version, keyExchangeInit()) },
	"no key":         sends(func() string { return version + keyExchangeInit() }),

	// to the port for TLS
	"SSH version":  sends(func() string { return version }),
	"dripping TLS": func(c net.Conn) { drip(c, "", "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"+noise(120)) },
	"half a hello": sends(func() string { return "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + noise(40) }),

	// to a port for managers
	"wrong password": guess,
}

const version = "SSH-2.0-stranger\r\n"

// hang says nothing more and waits for the end.
func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func sends(what func() string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.WriteString(c, what()); err == nil {
			hang(c)
		}
	}
}

func noise(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

// drip sends the beginning at once, and then a byte every 200 to 500 ms.
func drip(c net.Conn, beginning, rest string) {
	if _, err := io.WriteString(c, beginning); err != nil {
		return
	}
	for i := range len(rest) {
		if _, err := io.WriteString(c, rest[i:i+1]); err != nil {
			return
		}
		if !stays(c, 200*time.Millisecond+rand.N(300*time.Millisecond)) {
			return
		}
	}
	hang(c)
}

// lines sends lines that are no SSH version, a few bytes at a time.
func lines(c net.Conn) {
	for {
		if _, err := io.WriteString(c, "MSG-ID: "+strings.Repeat("x", rand.IntN(200))+"\r\n"); err != nil {
			return
		}
		if !stays(c, rand.N(500*time.Millisecond)) {
			return
		}
	}
}

// stays reads for a while and reports whether the connection is still there then.
func stays(c net.Conn, d time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(d))
	_, err := io.Copy(io.Discard, c)
	_ = c.SetReadDeadline(time.Time{})
	return os.IsTimeout(err)
}

// keyExchangeInit is a sound SSH_MSG_KEXINIT in its packet (RFC 4253 sections 6
// and 7.1).
func keyExchangeInit() string {
	message := ssh.Marshal(struct {
		Cookie                    [16]byte `sshtype:"20"`
		Kex, HostKeys             []string
		CiphersIn, CiphersOut     []string
		MACsIn, MACsOut           []string
		CompressIn, CompressOut   []string
		LanguagesIn, LanguagesOut []string
		FirstFollows              bool
		Reserved                  uint32
	}{
		Kex: []string{ssh.KeyExchangeCurve25519}, HostKeys: []string{ssh.KeyAlgoED25519},
		CiphersIn: []string{ssh.CipherAES128GCM}, CiphersOut: []string{ssh.CipherAES128GCM},
		MACsIn: []string{ssh.HMACSHA256}, MACsOut: []string{ssh.HMACSHA256},
		CompressIn: []string{"none"}, CompressOut: []string{"none"},
	})
	const block = 8
	padding := block - (4+1+len(message))%block
	if padding < 4 {
		padding += block
	}
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(message)+padding))
	packet = append(packet, byte(padding))
	packet = append(packet, message...)
	return string(append(packet, make([]byte, padding)...))
}

// guess tries to log in as a manager, with a password that is wrong.
func guess(c net.Conn) {
	client, channels, requests, err := ssh.NewClientConn(c, "", &ssh.ClientConfig{
		User: "noc", Auth: []ssh.AuthMethod{ssh.Password("guess")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err == nil {
		go ssh.DiscardRequests(requests)
		for range channels { // it got in: the test will tell
		}
		client.Close()
	}
}
