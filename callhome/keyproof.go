package callhome

// keyProof reads along the first flight of a TLS 1.2 device, to know whether it
// has proved its key by the time it asks for a client certificate. With ECDHE
// the signature of the ServerKeyExchange is the proof, over the randoms of both
// sides (RFC 8422 section 5.4), and crypto/tls has checked it when it asks for
// our certificate, if there was one: a device that leaves the message out gets
// as far, and fails only where the client's key exchange is made
// (processServerKeyExchange and getClientCertificate in doFullHandshake of
// handshake_client.go, Go 1.26). In TLS 1.3 the proof cannot be left out
// (readServerCertificate in handshake_client_tls13.go), and what follows the
// ServerHello is encrypted: no more is read along than that.
type keyProof struct {
	head    [5]byte // of the record
	have    int     // bytes of head that have come
	record  int     // bytes of the record that are still to come
	other   bool    // the record carries no handshake messages
	message messageHead
	over    bool // the flight is over

	signed bool // a ServerKeyExchange came
	asked  bool // a CertificateRequest came
	proved bool // in that order
}

// messageHead is how far a handshake message was read.
type messageHead struct {
	bytes [4]byte
	have  int
	left  int
}

// The record and message types of RFC 5246 that matter here.
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplicationData  = 23

	messageServerKeyExchange  = 12
	messageCertificateRequest = 13
)

// hear takes what the device has sent, in pieces of any size.
func (k *keyProof) hear(p []byte) {
	for len(p) > 0 && !k.over {
		if k.record == 0 {
			p = p[k.hearRecordHead(p):]
			continue
		}
		n := min(k.record, len(p))
		k.record -= n
		if !k.other {
			k.hearMessages(p[:n])
		}
		p = p[n:]
	}
}

func (k *keyProof) hearRecordHead(p []byte) int {
	n := copy(k.head[k.have:], p)
	if k.have += n; k.have < len(k.head) {
		return n
	}
	k.have = 0
	k.record = int(k.head[3])<<8 | int(k.head[4])
	k.other = k.head[0] == recordAlert
	// ChangeCipherSpec in 1.2, and what is encrypted in 1.3.
	k.over = k.head[0] != recordHandshake && !k.other
	return n
}

func (k *keyProof) hearMessages(p []byte) {
	for m := &k.message; len(p) > 0; {
		if m.left > 0 {
			n := min(m.left, len(p))
			m.left -= n
			p = p[n:]
			continue
		}
		n := copy(m.bytes[m.have:], p)
		p = p[n:]
		if m.have += n; m.have < len(m.bytes) {
			return
		}
		m.have = 0
		m.left = int(m.bytes[1])<<16 | int(m.bytes[2])<<8 | int(m.bytes[3])
		k.note(m.bytes[0])
	}
}

func (k *keyProof) note(messageType byte) {
	switch messageType {
	case messageServerKeyExchange:
		k.signed = true
	case messageCertificateRequest:
		k.proved = k.proved || k.signed && !k.asked
		k.asked = true
	}
}
