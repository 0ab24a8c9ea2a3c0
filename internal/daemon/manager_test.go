package daemon

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// testManager is a manager's NETCONF session over SSH with base:1.0.
type testManager struct {
	client *ssh.Client
	in     io.WriteCloser
	// over is closed when the session has ended.
	over chan struct{}
}

func endpoint(port uint16) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))) }

func dialManager(port uint16, name, password string) (*ssh.Client, error) {
	return ssh.Dial("tcp", endpoint(port), &ssh.ClientConfig{
		User: name, Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 20 * time.Second,
	})
}

func startManager(t *testing.T, port uint16, name, password string) *testManager {
	t.Helper()
	client, err := dialManager(port, name, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	m := &testManager{client: client, over: make(chan struct{})}
	if m.in, err = session.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RequestSubsystem("netconf"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(m.in, `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>`); err != nil {
		t.Fatal(err)
	}
	var hello strings.Builder
	for buf := make([]byte, 512); !strings.Contains(hello.String(), "]]>]]>"); {
		n, err := out.Read(buf)
		hello.Write(buf[:n])
		if err != nil {
			t.Fatalf("no hello: %v", err)
		}
	}
	go func() {
		defer close(m.over)
		_, _ = io.Copy(io.Discard, out)
	}()
	return m
}

// ended reports whether the session has ended.
func (m *testManager) ended() bool {
	select {
	case <-m.over:
		return true
	default:
		return false
	}
}

func (m *testManager) awaitEnd(t *testing.T) {
	t.Helper()
	select {
	case <-m.over:
	case <-time.After(20 * time.Second):
		t.Fatal("the manager session goes on")
	}
}
