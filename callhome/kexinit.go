package callhome

import (
	"bytes"
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/ssh"
)

// The messages of RFC 4253 section 12 that may come first, and how long the head
// of their packet is: its length and that of the padding.
const (
	messageIgnore  = 2
	messageDebug   = 4
	messageKexInit = 20

	packetHead = 5
)

// kexInit reads along what a device sends over SSH, from its version line to its
// first key exchange message, to know what will be negotiated with it before
// the login: the host key callback of x/crypto is not told.
type kexInit struct {
	heard []byte
	over  bool // it was heard, or there is none
	// What the device offers; nothing until it was heard.
	offers kexInitMessage
}

// kexInitMessage is that of RFC 4253 section 7.1. What the device sends is under
// CiphersSent and MACsSent.
type kexInitMessage struct {
	Cookie       [16]byte `sshtype:"20"`
	KeyExchanges []string
	HostKeys     []string
	Ciphers      []string
	CiphersSent  []string
	MACs         []string
	MACsSent     []string
	Rest         []byte `ssh:"rest"`
}

// hear takes what the device has sent, in pieces of any size.
func (k *kexInit) hear(p []byte) {
	if k.over {
		return
	}
	k.heard = append(k.heard, p...)
	_, packets, complete := bytes.Cut(k.heard, []byte{'\n'})
	for complete && !k.over {
		packets, complete = k.hearPacket(packets)
	}
	if k.over = k.over || len(k.heard) > 2*maxPacket; k.over {
		k.heard = nil
	}
}

// hearPacket looks at the first packet, if it is complete, and returns those
// that follow.
func (k *kexInit) hearPacket(packets []byte) (more []byte, complete bool) {
	if len(packets) < packetHead+1 {
		return packets, false
	}
	length, padding := binary.BigEndian.Uint32(packets), int(packets[4])
	if length > maxPacket || int(length) < padding+2 {
		k.over = true
		return packets, false
	}
	end := 4 + int(length)
	if len(packets) < end {
		return packets, false
	}
	switch message := packets[packetHead : end-padding]; message[0] {
	case messageIgnore, messageDebug:
	case messageKexInit:
		_ = ssh.Unmarshal(message, &k.offers) // what is malformed offers nothing
		k.over = true
	default:
		k.over = true
	}
	return packets[end:], true
}

// old returns the old algorithms that x/crypto agrees on with a device that was
// made this offer. Where the device's offer was not understood that is all.
func (k *kexInit) old(offer *ssh.ClientConfig) []string {
	agreed := append(k.agreedOneWay(offer, k.offers.Ciphers, k.offers.MACs), k.agreedOneWay(offer, k.offers.CiphersSent, k.offers.MACsSent)...)
	agreed = append(agreed, common(offer.KeyExchanges, k.offers.KeyExchanges), common(offer.HostKeyAlgorithms, k.offers.HostKeys))
	if slices.Contains(agreed, "") {
		return oldAlgorithms
	}
	return oldOf(agreed)
}

func (k *kexInit) agreedOneWay(offer *ssh.ClientConfig, ciphers, macs []string) []string {
	cipher := common(offer.Ciphers, ciphers)
	if slices.Contains(aeads, cipher) {
		return []string{cipher}
	}
	return []string{cipher, common(offer.MACs, macs)}
}

// common returns what is agreed on (RFC 4253 section 7.1): the first of our
// algorithms that the device has, or "".
func common(ours, theirs []string) string {
	for _, algorithm := range ours {
		if slices.Contains(theirs, algorithm) {
			return algorithm
		}
	}
	return ""
}
