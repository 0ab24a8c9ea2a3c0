package callhome_test

import (
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
)

// An operator gives the device another name while it logs in: it does not come
// in under the old one.
func TestRenamedWhileItLogsIn(t *testing.T) {
	f := newFleet(t)
	cert := callhome.SelfSigned(t, "device")
	versions(t, func(t *testing.T, version uint16) {
		o := f.approving(cert)
		m := o.Memory.(*memory)
		s := startTLS(t, o)
		rename := func(string, string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.devices[0].Name = "edge-2"
		}
		tlsDevice(t, s, version, devicesim.TLS{Certificate: cert, ClientCAs: f.ca.Pool()},
			devicesim.Options{OnAuth: rename, Reconnect: 10 * time.Millisecond})
		if o := s.want(t, callhome.RejectedUntrusted); !strings.Contains(o.Detail, "was given the name edge-2") {
			t.Errorf("the detail is %q", o.Detail)
		}
		s.want(t, callhome.Accepted)
		if name := receive(t, s.links, "link").Name(); name != "edge-2" {
			t.Errorf("it came in as %s", name)
		}
	})
}

func TestACertificateOfAnotherCADoesNotTakeTheNameOfADeviceThatIsAway(t *testing.T) {
	named := func(f *fleet, name string) *fleet {
		f.user.Name, f.user.TLS.NameFrom = name, auth.NameFromCommonName
		return f
	}
	north, south := named(newFleet(t), "north"), named(newFleet(t), "south")
	versions(t, func(t *testing.T, version uint16) {
		m := &memory{}
		o := callhome.Options{Users: []*auth.User{north.user, south.user}, Memory: m}
		s := startTLS(t, o)
		tlsDevice(t, s, version, devicesim.TLS{Certificate: north.ca.Issue(t, "1234", nil)}, devicesim.Options{})
		s.want(t, callhome.Accepted)
		link := receive(t, s.links, "link")
		_ = link.Close()
		<-link.Done()

		other := startTLS(t, o) // as after a restart
		var seen authLog
		tlsDevice(t, other, version, devicesim.TLS{Certificate: south.ca.Issue(t, "1234", nil)}, devicesim.Options{OnAuth: seen.add})
		if got := other.want(t, callhome.RejectedKeyChanged); got.Device != "1234" || len(seen.all()) != 0 {
			t.Errorf("outcome %+v; the device saw %v", got, seen.all())
		}
		tlsDevice(t, other, version, devicesim.TLS{Certificate: north.ca.Issue(t, "1234", nil)}, devicesim.Options{})
		if got := other.want(t, callhome.Accepted); got.User != "north" {
			t.Errorf("outcome %+v", got)
		}
	})
}
