package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

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
	return ssh.Dial("tcp", target.Address, &ssh.ClientConfig{
		User: target.Username, Auth: []ssh.AuthMethod{auth}, Timeout: ReplyTimeout,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // the tests of trust are south, not here
	})
}

// Subsystem is one channel of a connection with the netconf subsystem on it.
type Subsystem struct {
	*Session
	// Stderr is what the server says to a person.
	Stderr *Output
	ssh    *ssh.Session
}

// OpenSubsystem asks for the netconf subsystem on a new channel. No hello is
// sent or read yet.
func OpenSubsystem(client *ssh.Client) (*Subsystem, error) {
	channel, err := client.NewSession()
	if err != nil {
		return nil, fmt.Errorf("opening a channel: %w", err)
	}
	s := &Subsystem{ssh: channel, Stderr: &Output{}}
	channel.Stderr = s.Stderr
	in, err := channel.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := channel.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := channel.RequestSubsystem("netconf"); err != nil {
		channel.Close()
		return nil, fmt.Errorf("requesting the subsystem: %w", err)
	}
	s.Session = NewSession(&channelStream{out, in, channel})
	return s, nil
}

type channelStream struct {
	io.Reader
	io.WriteCloser
	channel *ssh.Session
}

func (c *channelStream) Close() error { return c.channel.Close() }

// ExitStatus returns the exit status that the server sent, or an error where
// the channel ended without one. It waits for the end of the channel.
func (s *Subsystem) ExitStatus() (int, error) {
	err := s.ssh.Wait()
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return exit.ExitStatus(), nil
	default:
		return 0, err
	}
}

// OpenSession opens a NETCONF session on a new channel, or fails the test.
func OpenSession(t testing.TB, client *ssh.Client, bases ...string) *Subsystem {
	t.Helper()
	s, err := OpenSubsystem(client)
	if err == nil {
		err = s.Open(ReplyTimeout, bases...)
	}
	if err != nil {
		t.Fatalf("opening a NETCONF session: %v%s", err, said(s))
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func said(s *Subsystem) string {
	if s == nil || s.Stderr.String() == "" {
		return ""
	}
	return "; the server said: " + s.Stderr.String()
}

// Connect logs in and opens a NETCONF session, or fails the test.
func Connect(t testing.TB, target Target, bases ...string) *Subsystem {
	t.Helper()
	return OpenSession(t, Dial(t, target), bases...)
}
