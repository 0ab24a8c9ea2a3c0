package harness

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// python is Debian's own: another one that is earlier in PATH does not see
// Debian's modules.
const python = "/usr/bin/python3"

// Ncclient is the Python library, driven through a script of ours.
type Ncclient struct {
	in  io.Writer
	out chan ncclientAnswer
	id  uint32
}

type ncclientAnswer struct {
	OK    string
	Error string
}

// ConnectNcclient logs in and opens a session, or fails the test.
func ConnectNcclient(t testing.TB, target Target) Manager {
	t.Helper()
	return connectNcclient(t, target)
}

// ConnectNcclientWith is ConnectNcclient with one that offers base:1.0 alone, or
// both.
func ConnectNcclientWith(t testing.TB, target Target, base string) *Ncclient {
	t.Helper()
	return connectNcclient(t, target, "MANAGER_BASE="+strings.TrimPrefix(base, "urn:ietf:params:netconf:base:"))
}

func connectNcclient(t testing.TB, target Target, environment ...string) *Ncclient {
	t.Helper()
	Need(t, "ncclient")
	script := filepath.Join(repository(t), "tests", "peers", "ncclient", "manager.py")
	cmd := exec.Command(python, script, target.Host(), target.Port(), target.Username)
	cmd.Env = append(os.Environ(), "MANAGER_PASSWORD="+target.Password, "MANAGER_KEY="+target.KeyPath)
	cmd.Env = append(cmd.Env, environment...)
	in, answers := startPiped(t, "ncclient", cmd)
	n := &Ncclient{in: in, out: make(chan ncclientAnswer, 1)}
	go n.read(answers)
	id, err := n.answer()
	if err != nil {
		t.Fatalf("ncclient: connecting to %s: %v", target.Address, err)
	}
	number, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		t.Fatalf("ncclient: session-id: %v", err)
	}
	n.id = uint32(number)
	return n
}

// startPiped starts a program whose input and output the test holds. Its
// output ends when it is killed at the end of the test.
func startPiped(t testing.TB, name string, cmd *exec.Cmd) (io.WriteCloser, io.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// not StdoutPipe: Wait, which runs beside the test, would close it early
	out, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd.Stdout = write
	Start(t, name, cmd)
	write.Close()
	return in, out
}

// read ends when the script does, which the end of the test sees to.
func (n *Ncclient) read(answers io.Reader) {
	defer close(n.out)
	lines := json.NewDecoder(bufio.NewReader(answers))
	for {
		var a ncclientAnswer
		if lines.Decode(&a) != nil {
			return
		}
		n.out <- a
	}
}

func (n *Ncclient) answer() (string, error) {
	timer := time.NewTimer(ReplyTimeout + 5*time.Second) // the script has a timeout itself
	defer timer.Stop()
	select {
	case a, ok := <-n.out:
		switch {
		case !ok:
			return "", errors.New("ncclient has ended")
		case a.Error != "":
			return "", errors.New(a.Error)
		default:
			return a.OK, nil
		}
	case <-timer.C:
		return "", ErrTimeout
	}
}

// Do has the script do a command. An rpc-error becomes an error with its tag.
func (n *Ncclient) Do(command ...string) (string, error) {
	line, err := json.Marshal(command)
	if err != nil {
		return "", err
	}
	if _, err := n.in.Write(append(line, '\n')); err != nil {
		return "", err
	}
	reply, err := n.answer()
	if err != nil {
		return "", fmt.Errorf("ncclient: %s: %w", command[0], err)
	}
	return reply, nil
}

func (n *Ncclient) expectOK(command ...string) error {
	reply, err := n.Do(command...)
	if err != nil {
		return err
	}
	return notOK(reply)
}

func (n *Ncclient) SessionID() uint32                       { return n.id }
func (n *Ncclient) GetConfig(source string) (string, error) { return n.Do("get-config", source) }
func (n *Ncclient) Lock(target string) error                { return n.expectOK("lock", target) }
func (n *Ncclient) Commit() error                           { return n.expectOK("commit") }
func (n *Ncclient) Unlock(target string) error              { return n.expectOK("unlock", target) }
func (n *Ncclient) Subscribe() error                        { return n.expectOK("subscribe") }
func (n *Ncclient) Notification() (string, error)           { return n.Do("notification") }
func (n *Ncclient) CloseSession() error                     { return n.expectOK("close") }
func (n *Ncclient) EditConfig(target, config string) error {
	return n.expectOK("edit-config", target, config)
}
