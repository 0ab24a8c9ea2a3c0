package devicesim

import (
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestLegacyAlgorithmsOnly(t *testing.T) {
	o := testOptions(t)
	o.HostKeys, o.LegacyAlgorithms = nil, true
	f, err := NewFleet(FleetOptions{Options: o, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ClientConfig{User: "user", Auth: []ssh.AuthMethod{ssh.Password("secret")}, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	secure := *config
	supported := ssh.SupportedAlgorithms() // which has none that is broken
	secure.KeyExchanges, secure.MACs, secure.HostKeyAlgorithms = supported.KeyExchanges, supported.MACs, supported.HostKeys
	if _, _, _, err := ssh.NewClientConn(serve(t, f.Devices[0]), "device", &secure); err == nil {
		t.Error("a client without legacy algorithms is let in")
	}
	config.KeyExchanges, config.HostKeyAlgorithms = []string{ssh.InsecureKeyExchangeDH14SHA1}, []string{ssh.KeyAlgoRSA}
	conn, _, _, err := ssh.NewClientConn(serve(t, f.Devices[0]), "device", config)
	if err != nil {
		t.Fatal(err)
	}
	got := conn.(ssh.AlgorithmsConnMetadata).Algorithms()
	if got.KeyExchange != ssh.InsecureKeyExchangeDH14SHA1 || got.HostKey != ssh.KeyAlgoRSA || got.Read.MAC != ssh.HMACSHA1 {
		t.Errorf("negotiated %+v", got)
	}
	_ = conn.Close()
}

func TestLegacyAlgorithmsNeedRSA(t *testing.T) {
	o := testOptions(t)
	o.LegacyAlgorithms = true
	if _, err := New(o); err == nil {
		t.Error("an ed25519 key was accepted")
	}
	o.HostKeys = nil
	if _, err := NewFleet(FleetOptions{Options: o, Count: 1, Seed: "fleet"}); err == nil {
		t.Error("an RSA key was derived from a seed")
	}
}
