package callhome_test

import (
	"fmt"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"

	"golang.org/x/crypto/ssh"
)

// behindOneAddress starts devices that are approved, each with a username of
// several, and returns how many calls were told a wrong one until all were
// connected.
func behindOneAddress(t *testing.T, devices, usernames int) (wrong int) {
	m := &memory{}
	o := callhome.Options{Memory: m, NamedUsers: make(map[string]*auth.User)}
	for i := range usernames {
		user := &auth.User{Name: fmt.Sprintf("user-%d", i), Username: fmt.Sprintf("netconf-%d", i), Password: "secret"}
		o.NamedUsers[user.Name] = user
		o.Users = append(o.Users, user)
	}
	s := start(t, o)
	for i := range devices {
		name, user := fmt.Sprintf("edge-%d", i), o.Users[i%usernames]
		m.mu.Lock()
		m.devices = append(m.devices, auth.Device{Name: name, Identity: identity(t, name), User: user.Name})
		m.mu.Unlock()
		device(t, s, devicesim.Options{HostKeys: []ssh.Signer{key(t, name)}, Username: user.Username, Reconnect: 50 * time.Millisecond})
	}
	for connected := 0; connected < devices; {
		switch o := s.next(t); o.Reason {
		case callhome.Accepted:
			connected++
		case callhome.RejectedWrongUser:
			wrong++
		default:
			t.Fatalf("outcome %s: %s", o.Reason, o.Detail)
		}
	}
	return wrong
}

func TestDevicesOfOneUsernameAttachAtTheirFirstCall(t *testing.T) {
	if wrong := behindOneAddress(t, 30, 1); wrong != 0 {
		t.Errorf("%d calls were told a wrong username", wrong)
	}
}

func TestDevicesOfSeveralUsernamesAttachInTheEnd(t *testing.T) {
	wrong := behindOneAddress(t, 30, 5)
	t.Logf("%d calls were told a wrong username", wrong)
	if wrong == 0 {
		t.Error("the username was known before the device")
	}
}
