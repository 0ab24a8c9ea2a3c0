package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var libnetconfManager = program{directory: "libnetconf2-manager", libraries: []string{"netconf2", "yang", "ssh"}}

// LibnetconfManager is a C program on libnetconf2's client.
type LibnetconfManager struct {
	in  io.Writer
	out chan string // its lines; closed at its end
	id  uint32
}

// ConnectLibnetconfTLS opens a session over TLS, or fails the test. The library
// sends no SNI.
func ConnectLibnetconfTLS(t testing.TB, target TLSTarget) Manager {
	t.Helper()
	host, port, _ := net.SplitHostPort(target.Address)
	return connectLibnetconf(t, os.Environ(), "-r", host, "-C", target.Certificate.Path, "-K", target.Certificate.KeyPath,
		"-A", target.Servers.Path, "tls", serverName, port)
}

// ConnectLibnetconfSSH opens a session over SSH, or fails the test.
func ConnectLibnetconfSSH(t testing.TB, target Target) Manager {
	t.Helper()
	return connectLibnetconf(t, append(os.Environ(), "MANAGER_PASSWORD="+target.Password),
		"-u", target.Username, "ssh", target.Host(), target.Port())
}

func connectLibnetconf(t testing.TB, environment []string, arguments ...string) Manager {
	t.Helper()
	Need(t, "libnetconf2")
	// it keeps what it gets by get-schema there, for this session alone
	schemas := t.TempDir()
	for name, source := range map[string]string{
		"yuma": filepath.Dir(modulesOfYuma),
		"own":  filepath.Join(repository(t), "tests", "peers", libnetconfManager.directory),
	} {
		if err := os.Symlink(source, filepath.Join(schemas, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(libnetconfManager.binary(t), append([]string{"-s", schemas}, arguments...)...)
	cmd.Env = environment
	in, out := startPiped(t, "libnetconf2 manager", cmd)
	m := &LibnetconfManager{in: in, out: make(chan string, 1)}
	go m.read(out)
	id, err := m.answer()
	if err != nil {
		t.Fatalf("libnetconf2: connecting: %v", err)
	}
	number, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		t.Fatalf("libnetconf2: session-id: %v", err)
	}
	m.id = uint32(number)
	return m
}

// read ends when the program does, which the end of the test sees to.
func (m *LibnetconfManager) read(out io.Reader) {
	defer close(m.out)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		m.out <- strings.TrimSuffix(line, "\n")
	}
}

func (m *LibnetconfManager) answer() (string, error) {
	timer := time.NewTimer(ReplyTimeout + 5*time.Second) // the program has a timeout itself
	defer timer.Stop()
	select {
	case line, ok := <-m.out:
		word, text, _ := strings.Cut(line, " ")
		switch {
		case !ok:
			return "", errors.New("libnetconf2: it has ended")
		case word != "ok":
			return "", fmt.Errorf("libnetconf2: the device says %s", text)
		}
		return text, nil
	case <-timer.C:
		return "", ErrTimeout
	}
}

func (m *LibnetconfManager) do(command ...string) (string, error) {
	if _, err := io.WriteString(m.in, strings.Join(command, " ")+"\n"); err != nil {
		return "", err
	}
	return m.answer()
}

func (m *LibnetconfManager) expectOK(command ...string) error {
	reply, err := m.do(command...)
	if err != nil {
		return err
	}
	return notOK(reply)
}

func (m *LibnetconfManager) SessionID() uint32 { return m.id }
func (m *LibnetconfManager) GetConfig(source string) (string, error) {
	return m.do("get-config", source)
}
func (m *LibnetconfManager) Lock(target string) error      { return m.expectOK("lock", target) }
func (m *LibnetconfManager) Commit() error                 { return m.expectOK("commit", "") }
func (m *LibnetconfManager) Unlock(target string) error    { return m.expectOK("unlock", target) }
func (m *LibnetconfManager) Subscribe() error              { return m.expectOK("subscribe", "") }
func (m *LibnetconfManager) Notification() (string, error) { return m.do("notification", "") }
func (m *LibnetconfManager) CloseSession() error           { return m.expectOK("close", "") }
func (m *LibnetconfManager) EditConfig(target, config string) error {
	return m.expectOK("edit-config", target, config)
}

// KillSession ends another session.
func (m *LibnetconfManager) KillSession(id uint32) error {
	return m.expectOK("kill-session", strconv.FormatUint(uint64(id), 10))
}
