package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// LibnetconfOptions chooses what the tests vary of the libnetconf2 device.
type LibnetconfOptions struct {
	// Tick is how often subscribers get a notification; 0 is never.
	Tick time.Duration
	// Threads is how many RPCs it serves at a time (default 1, as simple
	// servers on libnetconf2 do).
	Threads int
	// HostKey replaces the ed25519 key that is made for the device.
	HostKey *Key
	// AuthorizedKey is a public key file that may log in, besides the password.
	AuthorizedKey string
	// Namespace is the network namespace to run it in.
	Namespace string
}

// Libnetconf is the C device on libnetconf2. It calls home by itself, and
// calls again about a second after its link has ended.
type Libnetconf struct {
	Device
	options LibnetconfOptions
	process *Process
}

const (
	libnetconfUser = "admin"
)

// NewLibnetconf makes the device. It starts when it is to call home.
func NewLibnetconf(t testing.TB, o LibnetconfOptions) *Libnetconf {
	t.Helper()
	Need(t, "libnetconf2")
	d := &Libnetconf{options: o, Device: Device{
		Kind: "libnetconf2", Username: libnetconfUser, Password: Password, Target: "running",
		Output: &Output{},
		edit: func(value string) string {
			return `<system xmlns="urn:callhome-gateway:test-device"><location>` + value + `</location></system>`
		},
	}}
	if d.HostKey = NewKey(t); o.HostKey != nil {
		d.HostKey = *o.HostKey
	}
	d.Alive = func() bool { return d.process != nil && d.process.Running() }
	d.call = func(t testing.TB, gateway string) Call { return d.start(t, gateway) }
	return d
}

// LibnetconfCall is a running device.
type LibnetconfCall struct{ *Process }

// Kill is kill -9: the kernel ends the connection.
func (c *LibnetconfCall) Kill() { c.Process.Kill() }

func (d *Libnetconf) start(t testing.TB, gateway string) *LibnetconfCall {
	t.Helper()
	args := []string{
		"-c", gateway, "-k", d.HostKey.Path, "-u", d.Username, "-p", d.Password, "-m", libnetconfSource(t),
		"-j", strconv.Itoa(max(1, d.options.Threads)), "-v", "2",
	}
	if d.options.Tick > 0 {
		args = append(args, "-n", strconv.FormatInt(d.options.Tick.Milliseconds(), 10))
	}
	if d.options.AuthorizedKey != "" {
		args = append(args, "-a", d.options.AuthorizedKey)
	}
	cmd := exec.Command(libnetconfBinary(t), args...)
	if d.options.Namespace != "" {
		cmd = exec.Command("ip", append([]string{"netns", "exec", d.options.Namespace, cmd.Path}, args...)...)
	}
	cmd.Stdout, cmd.Stderr = d.Output, d.Output
	d.process = Start(t, "libnetconf2 device", cmd)
	d.process.Output = d.Output
	return &LibnetconfCall{d.process}
}

// Sleep is an operation of the libnetconf2 device that takes this long.
func Sleep(d time.Duration) string {
	return fmt.Sprintf(`<sleep xmlns="urn:callhome-gateway:test-device"><milliseconds>%d</milliseconds></sleep>`, d.Milliseconds())
}

// Blob is an operation of the libnetconf2 device whose reply has this many
// bytes of text.
func Blob(size int) string {
	return fmt.Sprintf(`<blob xmlns="urn:callhome-gateway:test-device"><size>%d</size></blob>`, size)
}

var libnetconfBuild struct {
	sync.Once
	binary string
	err    error
}

// libnetconfBinary compiles the device once, into a cache that later runs find.
func libnetconfBinary(t testing.TB) string {
	t.Helper()
	b := &libnetconfBuild
	b.Do(func() { b.binary, b.err = buildLibnetconf(libnetconfSource(t)) })
	if b.err != nil {
		t.Fatalf("compiling the libnetconf2 device: %v", b.err)
	}
	return b.binary
}

func buildLibnetconf(source string) (string, error) {
	files, err := filepath.Glob(filepath.Join(source, "*.[ch]"))
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	var sources []string
	for _, file := range files {
		if filepath.Ext(file) == ".c" {
			sources = append(sources, file)
		}
		if err := hashFile(hash, file); err != nil {
			return "", err
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "callhome-gateway-tests")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "device-"+hex.EncodeToString(hash.Sum(nil)[:8]))
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	return binary, compile(binary, sources)
}

func hashFile(hash io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(hash, f)
	return err
}

// compile writes beside the binary and renames, for a run that is interrupted.
func compile(binary string, sources []string) error {
	unfinished := fmt.Sprintf("%s.%d", binary, os.Getpid())
	args := append([]string{"-O1", "-g", "-Wall", "-Wextra", "-Wno-deprecated-declarations", "-o", unfinished}, sources...)
	out, err := exec.Command("gcc", append(args, "-lnetconf2", "-lyang", "-lpthread")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return os.Rename(unfinished, binary)
}

func libnetconfSource(t testing.TB) string {
	t.Helper()
	return filepath.Join(repository(t), "tests", "peers", "libnetconf2")
}
