package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// RunYangcli runs yuma123's command line client on a script, speaking one
// protocol version ("1.0" or "1.1"), and returns all that it wrote. It fails
// the test unless every RPC of the script was answered without an error.
func RunYangcli(t testing.TB, target Target, version string, script ...string) string {
	t.Helper()
	Need(t, "yangcli")
	dir := t.TempDir()
	path := filepath.Join(dir, "script")
	write(t, path, []byte(strings.Join(script, "\n")+"\n"), 0o644)
	cmd := exec.Command("/usr/bin/yangcli", "--batch-mode", "--protocols=netconf"+version,
		// these files are in the user's directory, whatever HOME says, and
		// another run may be writing them
		"--autouservars=false", "--autoaliases=false", "--autohistory=false",
		"--server="+target.Host(), "--ncport="+target.Port(),
		"--user="+target.Username, "--password="+target.Password, "--run-script="+path)
	cmd.Env = append(os.Environ(), "HOME="+dir) // it keeps state in HOME's .yuma
	p := Start(t, "yangcli", cmd)
	select {
	case <-p.Done():
	case <-time.After(2 * ReplyTimeout):
		t.Fatalf("yangcli did not end:\n%s", p.Output.tail())
	}
	// the exit status is 0 even where it gave up
	if out := p.Output.String(); strings.Contains(out, "RPC Error Reply") || strings.Contains(out, "canceled") || !strings.Contains(out, "session established") {
		t.Fatalf("yangcli failed:\n%s", p.Output.tail())
	}
	return p.Output.String()
}

// YangcliConfig writes what an edit-config of a yangcli script takes as
// config=@FILE, and returns that argument.
func YangcliConfig(t testing.TB, config string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.xml")
	write(t, path, []byte(config), 0o644)
	return "config=@" + path
}
