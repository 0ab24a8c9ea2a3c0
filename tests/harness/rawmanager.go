package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Dial logs in over SSH, as a manager that can misbehave at will. The
// connection ends with the test.
func Dial(t testing.TB, target Target) *ssh.Client {
	t.Helper()
	client, err := TryDial(target)
	if err != nil {
		t.Fatalf("logging in at %s as %s: %v", target.Address, target.Username, err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// TryDial is Dial for a login that may fail.
func TryDial(target Target) (*ssh.Client, error) {
	auth := ssh.Password(target.Password)
	if target.KeyPath != "" {
		pem, err := os.ReadFile(target.KeyPath)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.ParsePrivateKey(pem)
		if err != nil {
			return nil, err
		}
		auth = ssh.PublicKeys(signer)
	}
	conn, err := dialFrom(target.Source, target.Address)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(ReplyTimeout))
	client, channels, requests, err := ssh.NewClientConn(conn, target.Address, &ssh.ClientConfig{
		User: target.Username, Auth: []ssh.AuthMethod{auth},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // the tests of trust are south, not here
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ssh.NewClient(client, channels, requests), conn.SetDeadline(time.Time{})
}

// Subsystem is one channel of a connection with the netconf subsystem on it.
type Subsystem struct {
	*Session
	// Stderr is what the server says to a person.
	Stderr *Output

	ended  chan struct{} // closed when the channel is
	status *uint32       // exit status, if there was one; to read after ended
}

// OpenSubsystem asks for the netconf subsystem on a new channel. No hello is
// sent or read yet.
func OpenSubsystem(client *ssh.Client) (*Subsystem, error) {
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		return nil, fmt.Errorf("opening a channel: %w", err)
	}
	s := &Subsystem{Session: NewSession(channel), Stderr: &Output{}, ended: make(chan struct{})}
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(requests) })
	watching.Go(func() { _, _ = io.Copy(s.Stderr, channel.Stderr()) })
	go func() { watching.Wait(); close(s.ended) }()
	accepted, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"netconf"}))
	if err == nil && !accepted {
		err = errors.New("it was refused")
	}
	if err != nil {
		channel.Close()
		return nil, fmt.Errorf("requesting the subsystem: %w", err)
	}
	return s, nil
}

// watch waits for the exit status. It ends with the channel.
func (s *Subsystem) watch(requests <-chan *ssh.Request) {
	for r := range requests {
		var exit struct{ Status uint32 }
		if r.Type == "exit-status" && ssh.Unmarshal(r.Payload, &exit) == nil {
			s.status = &exit.Status
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

// ExitStatus waits for the end of the channel and returns the exit status that
// the server sent before.
func (s *Subsystem) ExitStatus() (uint32, error) {
	select {
	case <-s.ended:
	case <-time.After(ReplyTimeout):
		return 0, errors.New("the channel is still open")
	}
	if s.status == nil {
		return 0, errors.New("there was none")
	}
	return *s.status, nil
}

// OpenSession opens a NETCONF session on a new channel, or fails the test.
func OpenSession(t testing.TB, client *ssh.Client, bases ...string) *Subsystem {
	t.Helper()
	s, err := OpenSubsystem(client)
	if err == nil {
		err = s.Open(ReplyTimeout, bases...)
	}
	if err != nil {
		t.Fatalf("opening a NETCONF session: %v%s", err, lastWords(s))
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func lastWords(s *Subsystem) string {
	if s == nil || s.Stderr.String() == "" {
		return ""
	}
	return "; the server said: " + s.Stderr.String()
}

// ConnectTo is Connect for a session with this device, of which the tests then
// need not know how it begins.
func ConnectTo(t testing.TB, d *Device, target Target, bases ...string) *Subsystem {
	t.Helper()
	s := Connect(t, target, bases...)
	if d.Kind == "netconfd" {
		if err := s.Settle(); err != nil {
			t.Fatalf("the first request to netconfd: %v", err)
		}
	}
	return s
}

// Connect logs in and opens a NETCONF session, or fails the test.
func Connect(t testing.TB, target Target, bases ...string) *Subsystem {
	t.Helper()
	return OpenSession(t, Dial(t, target), bases...)
}
