package callhome

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// sshPacket returns a message as it goes over the wire before there are keys.
func sshPacket(message []byte) []byte {
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(message)+4))
	packet = append(packet, 4)
	return append(append(packet, message...), 0, 0, 0, 0)
}

func offerOf(change func(*kexInitMessage)) []byte {
	m := kexInitMessage{
		KeyExchanges: []string{ssh.InsecureKeyExchangeDH14SHA1}, HostKeys: []string{ssh.KeyAlgoED25519},
		Ciphers: []string{ssh.CipherAES128GCM}, CiphersSent: []string{ssh.CipherAES128CTR},
		MACs: []string{"none"}, MACsSent: []string{ssh.HMACSHA1},
		Rest: make([]byte, 21),
	}
	if change != nil {
		change(&m)
	}
	return sshPacket(ssh.Marshal(m))
}

func legacyOffer() *ssh.ClientConfig {
	return (&plan{user: &auth.User{}, legacy: true, hostKeyTypes: hostKeyTypes}).sshConfig()
}

func TestTheOfferOfADeviceIsHeardInPieces(t *testing.T) {
	want := []string{ssh.InsecureKeyExchangeDH14SHA1, ssh.HMACSHA1}
	version := []byte("SSH-2.0-x\r\n")
	debug := sshPacket([]byte{messageDebug, 1, 2, 3})
	said := slices.Concat(version, debug, sshPacket([]byte{messageIgnore}), offerOf(nil), []byte("what is encrypted"))
	for cut := range len(said) {
		var k kexInit
		k.hear(said[:cut])
		k.hear(said[cut:])
		if !k.over || k.heard != nil || !slices.Equal(k.old(legacyOffer()), want) {
			t.Fatalf("cut at %d: %v, over %v", cut, k.old(legacyOffer()), k.over)
		}
	}
	for name, said := range map[string][]byte{
		"another message":    slices.Concat(version, sshPacket([]byte{30})),
		"too long":           slices.Concat(version, []byte{0, 1, 0, 0, 4, messageKexInit}),
		"all padding":        slices.Concat(version, []byte{0, 0, 0, 5, 4, messageKexInit}),
		"without end":        slices.Concat(version, slices.Repeat(sshPacket([]byte{messageIgnore}), 10_000)),
		"no version line":    slices.Repeat([]byte("x"), 3*maxPacket),
		"malformed":          slices.Concat(version, sshPacket([]byte{messageKexInit, 1})),
		"nothing that fits":  slices.Concat(version, offerOf(func(m *kexInitMessage) { m.HostKeys = []string{"x"} })),
		"no MAC that fits":   slices.Concat(version, offerOf(func(m *kexInitMessage) { m.MACsSent = nil })),
		"no packet at all":   version,
		"a part of a packet": slices.Concat(version, offerOf(nil)[:40]),
	} {
		var k kexInit
		k.hear(said)
		if !slices.Equal(k.old(legacyOffer()), oldAlgorithms) || len(k.heard) > 2*maxPacket {
			t.Errorf("%s: %v", name, k.old(legacyOffer()))
		}
	}
}

// Whatever a device offers, what was heard must be what x/crypto made of it.
func TestWhatIsHeardIsWhatIsNegotiated(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	some := func(from ...string) []string {
		random.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
		return from[:1+random.IntN(len(from))]
	}
	rsaKey, edKey := rsaSigner(t), newSigner(t)
	old := 0
	for range 60 {
		server := &ssh.ServerConfig{NoClientAuth: true, Config: ssh.Config{
			KeyExchanges: some(ssh.InsecureKeyExchangeDH14SHA1, ssh.InsecureKeyExchangeDH14SHA1, "curve25519-sha256@libssh.org", ssh.KeyExchangeECDHP256),
			Ciphers:      some(ssh.InsecureCipherAES128CBC, ssh.InsecureCipherTripleDESCBC, ssh.CipherAES128CTR, ssh.CipherAES256GCM),
			MACs:         some(ssh.HMACSHA1, ssh.HMACSHA1, ssh.HMACSHA256),
		}}
		limited, err := ssh.NewSignerWithAlgorithms(rsaKey.(ssh.AlgorithmSigner), some(ssh.KeyAlgoRSA, ssh.KeyAlgoRSASHA256))
		if err != nil {
			t.Fatal(err)
		}
		server.AddHostKey([]ssh.Signer{limited, edKey}[random.IntN(4)/3])
		negotiated, heard := negotiate(t, server)
		want := oldOf([]string{negotiated.KeyExchange, negotiated.HostKey,
			negotiated.Read.Cipher, negotiated.Read.MAC, negotiated.Write.Cipher, negotiated.Write.MAC})
		if !slices.Equal(heard, want) {
			t.Errorf("%+v: heard %v, want %v", negotiated, heard, want)
		}
		old += min(1, len(want))
	}
	if old == 0 || old == 60 {
		t.Errorf("%d of 60 were old", old)
	}
}

// negotiate connects to a server and returns what was negotiated, and what
// listening made of it.
func negotiate(t *testing.T, server *ssh.ServerConfig) (ssh.NegotiatedAlgorithms, []string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // with a pipe both would write first
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	theirs, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer theirs.Close()
		if _, channels, requests, err := ssh.NewServerConn(theirs, server); err == nil {
			go ssh.DiscardRequests(requests)
			for range channels {
			}
		}
	}()
	conn := newCallConn(ours)
	offer := legacyOffer()
	old := (&login{plan: &plan{legacy: true}, call: conn}).listen(offer)
	offer.HostKeyCallback = ssh.InsecureIgnoreHostKey()
	client, channels, requests, err := ssh.NewClientConn(conn, "", offer)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	go func() {
		for range channels {
		}
	}()
	negotiated := client.(ssh.AlgorithmsConnMetadata).Algorithms()
	_ = conn.end()
	<-served
	_ = client.Wait()
	return negotiated, old()
}
