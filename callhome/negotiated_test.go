package callhome_test

import (
	"crypto/tls"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

func TestALinkTellsWhatWasNegotiated(t *testing.T) {
	t.Run("ssh", func(t *testing.T) {
		s := start(t, known(t))
		device(t, s, devicesim.Options{SSH: func(c *ssh.ServerConfig) {
			c.Ciphers = []string{ssh.CipherAES128CTR}
			c.MACs = []string{ssh.HMACSHA512}
			c.KeyExchanges = []string{ssh.KeyExchangeECDHP384}
		}})
		s.want(t, callhome.Accepted)
		both := callhome.Protection{Cipher: "aes128-ctr", MAC: "hmac-sha2-512"}
		want := callhome.Algorithms{KeyExchange: "ecdh-sha2-nistp384", HostKey: "ssh-ed25519", Sent: both, Received: both}
		if got := receive(t, s.links, "link").Algorithms(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
	t.Run("tls", func(t *testing.T) {
		f, cert := newFleet(t), callhome.SelfSigned(t, "device")
		s := startTLS(t, f.approving(cert))
		tlsDevice(t, s, tls.VersionTLS13, devicesim.TLS{Certificate: cert}, devicesim.Options{})
		s.want(t, callhome.Accepted)
		got := receive(t, s.links, "link").Algorithms()
		if got.Version != "TLS 1.3" || got.KeyExchange == "" || got.Sent.Cipher == "" || got.Sent != got.Received {
			t.Errorf("%+v", got)
		}
	})
}
