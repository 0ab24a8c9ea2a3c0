package devicesim

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestADeviceBeginsItsCallsAsJunosDoes checks what comes before the SSH version
// line, for each device of a fleet.
func TestADeviceBeginsItsCallsAsJunosDoes(t *testing.T) {
	for _, secret := range []string{"", "shared"} {
		fleet, err := NewFleet(FleetOptions{Count: 2, Seed: "junos", Options: Options{
			Username: "netconf", Password: "x", Junos: &Junos{DeviceID: "mx", Secret: secret},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range []string{"mx-1", "mx-2"} {
			want := "MSG-ID: DEVICE-CONN-INFO\r\nMSG-VER: V1\r\nDEVICE-ID: " + id + "\r\n"
			if secret != "" {
				key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(fleet.Devices[i].HostKeys()[0])))
				mac := hmac.New(sha1.New, []byte(secret))
				mac.Write([]byte(key))
				want += "HOST-KEY: " + key + "\r\nHMAC: " + hex.EncodeToString(mac.Sum(nil)) + "\r\n"
			}
			if got := beginning(t, fleet.Devices[i]); got != want {
				t.Errorf("with the secret %q:\n%q, want\n%q", secret, got, want)
			}
		}
	}
}

// beginning returns what the device sends before its SSH version line.
func beginning(t *testing.T, d *Device) string {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- d.Serve(t.Context(), theirs) }()
	defer func() {
		_ = ours.Close()
		<-done
	}()
	var lines strings.Builder
	for r := bufio.NewReader(ours); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "SSH-") {
			return lines.String()
		}
		lines.WriteString(line)
	}
}
