package callhome

import (
	"crypto/tls"

	"golang.org/x/crypto/ssh"
)

// Algorithms are what a link's two sides have agreed on in the handshake, by
// the names of their registries.
type Algorithms struct {
	// Version is "TLS 1.2" or "TLS 1.3", and empty over SSH.
	Version string
	// KeyExchange is the method over SSH and the group over TLS.
	KeyExchange string
	// HostKey is what the device has signed with over SSH; empty over TLS.
	HostKey string
	// Sent is for what goes to the device, and Received for what comes from it.
	// They may differ over SSH only.
	Sent, Received Protection
}

// Protection is what one direction of a link is kept secret and whole with.
type Protection struct {
	// Cipher is the cipher over SSH and the cipher suite over TLS.
	Cipher string
	// MAC is empty where the cipher needs none.
	MAC string
}

// Algorithms returns what was negotiated for the link.
func (l *Link) Algorithms() Algorithms { return l.bearer.algorithms() }

func (b *sshBearer) algorithms() Algorithms {
	conn, ok := b.conn.(ssh.AlgorithmsConnMetadata)
	if !ok {
		return Algorithms{}
	}
	a := conn.Algorithms()
	return Algorithms{
		KeyExchange: a.KeyExchange,
		HostKey:     a.HostKey,
		Sent:        Protection{a.Write.Cipher, a.Write.MAC},
		Received:    Protection{a.Read.Cipher, a.Read.MAC},
	}
}

func (b *tlsBearer) algorithms() Algorithms {
	state := b.conn.ConnectionState()
	both := Protection{Cipher: tls.CipherSuiteName(state.CipherSuite)}
	return Algorithms{
		Version:     tls.VersionName(state.Version),
		KeyExchange: state.CurveID.String(),
		Sent:        both,
		Received:    both,
	}
}
