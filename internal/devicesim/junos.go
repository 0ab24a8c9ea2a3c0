package devicesim

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Junos makes a device begin its calls as Junos does (outbound-ssh): with lines
// of text before SSH starts.
type Junos struct {
	// DeviceID is what the device calls itself.
	DeviceID string
	// Secret, if not empty, makes it send its host key, too, with an HMAC.
	Secret string
	// HostKey is the key that it sends (default: the first of its host keys).
	HostKey ssh.PublicKey
}

func (j *Junos) validate() error {
	if j.DeviceID == "" || strings.ContainsAny(j.DeviceID, "\r\n") {
		return errors.New("a Junos device needs a device id of one line")
	}
	return nil
}

// preamble returns the lines.
func (j *Junos) preamble(own ssh.PublicKey) []byte {
	lines := []string{"MSG-ID: DEVICE-CONN-INFO", "MSG-VER: V1", "DEVICE-ID: " + j.DeviceID}
	if j.Secret != "" {
		if j.HostKey != nil {
			own = j.HostKey
		}
		text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(own)))
		mac := hmac.New(sha1.New, []byte(j.Secret))
		mac.Write([]byte(text))
		lines = append(lines, "HOST-KEY: "+text, "HMAC: "+hex.EncodeToString(mac.Sum(nil)))
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}
