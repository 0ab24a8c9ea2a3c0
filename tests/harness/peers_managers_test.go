package harness

import (
	"strings"
	"testing"
	"time"
)

// The managers by themselves: the main job straight on netconfd's sshd. Not
// scrapligo and yangcli: their first RPC is right behind their hello.

func TestEveryManagerDoesTheJobOnNetconfd(t *testing.T) {
	t.Parallel()
	for _, kind := range ManagerKinds() {
		if strings.HasPrefix(kind.Name, "scrapligo") {
			continue
		}
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			Need(t, kind.Needs...)
			key := NewKey(t)
			d := NewNetconfd(t, NetconfdOptions{Candidate: true, AuthorizedKey: key.AuthorizedKey()})
			target := Target{Address: d.Address, Username: d.Username, Password: d.Password}
			if strings.HasPrefix(kind.Name, "OpenSSH") {
				target.KeyPath = key.Path
			}
			m := kind.Connect(t, target)
			if s, ok := m.(*Session); ok {
				if err := s.Settle(); err != nil {
					t.Fatal(err)
				}
			}
			if err := (Job{Device: &d.Device, Value: "rack 7"}).Run(m); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestLibnetconfServesSlowAndLargeRequests(t *testing.T) {
	t.Parallel()
	d := NewLibnetconf(t, LibnetconfOptions{Threads: 2})
	client := calledBy(t, &d.Device)
	s := OpenSession(t, client, Base11)
	begin := time.Now()
	if reply, err := s.RPC(ReplyTimeout, Sleep(300*time.Millisecond)); err != nil || time.Since(begin) < 300*time.Millisecond {
		t.Fatal(reply, err)
	}
	reply, err := s.RPC(ReplyTimeout, Blob(1<<20))
	if err != nil || strings.Count(reply, "x") < 1<<20 {
		t.Fatal(len(reply), err)
	}
}
