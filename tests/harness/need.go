// Package harness runs the gateway, and devices and managers that were not
// written for it, for the end-to-end tests. Everything that it starts ends
// with the test that asked for it.
package harness

import (
	"os"
	"os/exec"
	"testing"
)

// InteropVariable set to 1 says that every peer must be there: what would be
// skipped fails instead. "make interop" sets it after installing them.
const InteropVariable = "CHGW_INTEROP"

// peers are the programs that a test can need, and how each is found.
var peers = map[string]func() string{
	"netconfd":    func() string { return firstMissing("/usr/sbin/netconfd", "/usr/sbin/netconf-subsystem") },
	"sshd":        func() string { return firstMissing("/usr/sbin/sshd") },
	"libnetconf2": func() string { return firstMissing("/usr/bin/gcc", "/usr/include/nc_server.h", modulesOfYuma) },
	"ncclient":    func() string { return firstMissing(python, "/usr/lib/python3/dist-packages/ncclient") },
	"libxml2":     func() string { return firstMissing(python, "/usr/sbin/netconfd") }, // which is linked with it
	"yangcli":     func() string { return firstMissing("/usr/bin/yangcli") },
	"pebble":      func() string { return firstMissing("/usr/bin/pebble", "/usr/bin/pebble-challtestsrv") },
	"haproxy":     func() string { return firstMissing("/usr/sbin/haproxy") },
	"openssl":     func() string { return firstMissing("/usr/bin/openssl") },
	"ssh":         func() string { return firstMissing("/usr/bin/ssh") },
	"root":        missingRoot,
	"netns":       missingNetns,
}

const modulesOfYuma = "/usr/share/yuma/modules/ietf"

// Need skips the test when one of the named peers is missing on this machine,
// or fails it where they were promised.
func Need(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		find, ok := peers[name]
		if !ok {
			t.Fatalf("the harness knows no peer %q", name)
		}
		missing := find()
		switch {
		case missing == "":
		case os.Getenv(InteropVariable) == "1":
			t.Fatalf("%s is missing: %s (make interop installs it)", name, missing)
		default:
			t.Skipf("needs %s: %s is missing (make interop installs it)", name, missing)
		}
	}
}

func firstMissing(paths ...string) string {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return path
		}
	}
	return ""
}

func missingRoot() string {
	if os.Geteuid() != 0 {
		return "root"
	}
	return ""
}

// missingNetns tries it: a container may have ip and root, and still forbid namespaces.
func missingNetns() string {
	if missing := missingRoot(); missing != "" {
		return missing
	}
	if err := exec.Command("unshare", "--net", "true").Run(); err != nil {
		return "the right to make network namespaces"
	}
	return firstMissing("/usr/sbin/ip")
}
