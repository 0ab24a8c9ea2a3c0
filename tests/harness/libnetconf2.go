package harness

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
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
	// OneChannel leaves further channels of the connection without an answer,
	// as a server does that calls nothing but nc_ps_poll.
	OneChannel bool
	// AuthorizedKey is a public key file that may log in, besides the password.
	AuthorizedKey string
	// TLS makes it a device that calls home over TLS instead of SSH.
	TLS bool
	// Certificate replaces the self-signed one that is made for a TLS device.
	Certificate *Certificate
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
	// testDevice is the namespace of its module.
	testDevice = "urn:callhome-gateway:test-device"
)

// NewLibnetconf makes the device. It starts when it is to call home.
func NewLibnetconf(t testing.TB, o LibnetconfOptions) *Libnetconf {
	t.Helper()
	Need(t, "libnetconf2")
	d := &Libnetconf{options: o, Device: Device{
		Kind: "libnetconf2", Username: libnetconfUser, Password: Password, Target: "running", BlobNamespace: testDevice,
		Output: &Output{},
		edit: func(value string) string {
			return `<system xmlns="` + testDevice + `"><location>` + value + `</location></system>`
		},
	}}
	if o.TLS {
		d.useTLS(t)
	} else if d.HostKey = NewKey(t); o.HostKey != nil {
		d.HostKey = *o.HostKey
	}
	d.Alive = func() bool { return d.process != nil && d.process.Running() }
	d.call = func(t testing.TB, gateway string) Call { return d.start(t, gateway) }
	return d
}

// useTLS gives the device a certificate of its own, and lets those in whom a
// CA of its own has certified.
func (d *Libnetconf) useTLS(t testing.TB) {
	t.Helper()
	d.Kind = "libnetconf2 over TLS"
	d.TLS = NewDeviceTLS(t, d.Username)
	if d.options.Certificate != nil {
		d.TLS.Certificate = *d.options.Certificate
	}
}

// credentials are the options for the transport that the device has.
func (d *Libnetconf) credentials() []string {
	if d.TLS == nil {
		return []string{"-k", d.HostKey.Path, "-u", d.Username, "-p", d.Password}
	}
	c, ca := d.TLS.Certificate, d.TLS.Logins
	return []string{"-C", c.Path, "-K", c.KeyPath, "-A", ca.Path, "-F", ca.MapFingerprint()}
}

// LibnetconfCall is a running device.
type LibnetconfCall struct{ *Process }

// Kill is kill -9: the kernel ends the connection.
func (c *LibnetconfCall) Kill() { c.Process.Kill() }

func (d *Libnetconf) start(t testing.TB, gateway string) *LibnetconfCall {
	t.Helper()
	args := append(d.credentials(), "-c", gateway, "-m", libnetconfSource(t),
		"-j", strconv.Itoa(max(1, d.options.Threads)), "-v", "2")
	if d.options.Tick > 0 {
		args = append(args, "-n", strconv.FormatInt(d.options.Tick.Milliseconds(), 10))
	}
	if d.options.OneChannel {
		args = append(args, "-1")
	}
	if d.options.AuthorizedKey != "" {
		args = append(args, "-a", d.options.AuthorizedKey)
	}
	cmd := exec.Command(libnetconfDevice.binary(t), args...)
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
	return fmt.Sprintf(`<sleep xmlns="%s"><milliseconds>%d</milliseconds></sleep>`, testDevice, d.Milliseconds())
}

// Blob is an operation of the libnetconf2 device whose reply has this many
// bytes of text.
func Blob(size int) string {
	return fmt.Sprintf(`<blob xmlns="%s"><size>%d</size></blob>`, testDevice, size)
}

var libnetconfDevice = program{directory: "libnetconf2", libraries: []string{"netconf2", "yang", "pthread"}}

func libnetconfSource(t testing.TB) string {
	t.Helper()
	return filepath.Join(repository(t), "tests", "peers", libnetconfDevice.directory)
}
