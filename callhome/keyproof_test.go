package callhome

import (
	"slices"
	"testing"
)

func handshakeMessage(kind byte, size int) []byte {
	return append([]byte{kind, byte(size >> 16), byte(size >> 8), byte(size)}, make([]byte, size)...)
}

func tlsRecord(kind byte, content []byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(content) >> 8), byte(len(content))}, content...)
}

func TestKeyProofIsHeardHoweverItIsCut(t *testing.T) {
	const (
		serverHello = 2
		certificate = 11
		done        = 14
	)
	messages := func(kinds ...byte) (all []byte) {
		for _, kind := range kinds {
			all = append(all, handshakeMessage(kind, int(kind)*40)...)
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		flight  []byte
		records int // bytes of messages in a record
		proved  bool
	}{
		{"as it should be", messages(serverHello, certificate, messageServerKeyExchange, messageCertificateRequest, done), 1 << 14, true},
		{"in small records", messages(serverHello, certificate, messageServerKeyExchange, messageCertificateRequest, done), 3, true},
		{"left out", messages(serverHello, certificate, messageCertificateRequest, done), 1 << 14, false},
		{"too late", messages(serverHello, certificate, messageCertificateRequest, messageServerKeyExchange, messageCertificateRequest), 1 << 14, false},
		{"inside another message", append(messages(serverHello), handshakeMessage(certificate, 5)[:4]...), 1 << 14, false},
		{"not asked", messages(serverHello, certificate, messageServerKeyExchange, done), 1 << 14, false},
	} {
		for _, piece := range []int{1, 2, 5, 7, 1 << 16} {
			var k keyProof
			wire := tlsRecord(recordAlert, []byte{1, 90})
			for part := range slices.Chunk(tt.flight, tt.records) {
				wire = append(wire, tlsRecord(recordHandshake, part)...)
			}
			if tt.name == "inside another message" {
				wire = append(wire, tlsRecord(recordHandshake, []byte{messageServerKeyExchange, 0, 0, 0, 0})...)
				wire = append(wire, tlsRecord(recordHandshake, handshakeMessage(messageCertificateRequest, 0))...)
			}
			for part := range slices.Chunk(wire, piece) {
				k.hear(part)
			}
			if k.proved != tt.proved {
				t.Errorf("%s, in pieces of %d: proved %t", tt.name, piece, k.proved)
			}
		}
	}
}

func TestKeyProofStopsAtWhatIsEncrypted(t *testing.T) {
	var k keyProof
	k.hear(tlsRecord(23, handshakeMessage(messageServerKeyExchange, 3)))
	k.hear(tlsRecord(recordHandshake, slices.Concat(handshakeMessage(messageServerKeyExchange, 3), handshakeMessage(messageCertificateRequest, 3))))
	if k.proved || !k.over {
		t.Errorf("%+v", k)
	}
}

func FuzzKeyProof(f *testing.F) {
	f.Add(tlsRecord(recordHandshake, slices.Concat(handshakeMessage(messageServerKeyExchange, 9), handshakeMessage(messageCertificateRequest, 0))), uint8(3))
	f.Add(tlsRecord(recordAlert, []byte{1, 0}), uint8(1))
	f.Fuzz(func(t *testing.T, wire []byte, piece uint8) {
		var whole, cut keyProof
		whole.hear(wire)
		for part := range slices.Chunk(wire, int(piece)+1) {
			cut.hear(part)
		}
		if whole != cut {
			t.Errorf("whole %+v, in pieces %+v", whole, cut)
		}
	})
}
