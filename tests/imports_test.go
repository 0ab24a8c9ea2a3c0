package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "callhome-gateway"

// mayImport says which packages of the module each may import. Packages below
// one that is named count as it. What is not named here fails the test: decide
// where a new package belongs.
var mayImport = map[string][]string{
	"internal/netconf":   {},
	"auth":               {},
	"callhome":           {"auth", "internal/netconf"},
	"internal/share":     {"callhome", "auth", "internal/netconf"},
	"gateway":            {"internal/share", "callhome", "auth", "internal/netconf"},
	"internal/config":    {"internal/audit", "gateway", "internal/share", "callhome", "auth", "internal/netconf"},
	"internal/control":   {"gateway", "internal/share", "callhome", "auth", "internal/netconf"},
	"internal/redact":    {"internal/netconf"},
	"internal/audit":     {"gateway", "callhome", "auth", "internal/redact", "internal/netconf"},
	"internal/store":     {"gateway", "callhome", "auth", "internal/netconf"},
	"internal/devicesim": {"internal/netconf"},
	"internal/testport":  {},
	"internal/daemon":    {"internal/audit", "internal/config", "internal/control", "internal/store", "internal/devicesim", "gateway", "internal/share", "callhome", "auth", "internal/netconf"},
	// The store for backup and restore, which need no gateway that runs.
	"cmd/callhome-gateway": {"internal/daemon", "internal/config", "internal/control", "internal/store", "internal/devicesim", "auth"},
	"cmd/callhome-device":  {"internal/devicesim"},
}

// mayNotImport are packages from elsewhere that must not come in.
var mayNotImport = map[string][]string{
	"auth":     {"net", "net/http", "github.com/hashicorp/hcl/v2", "go.etcd.io/bbolt"},
	"callhome": {"github.com/hashicorp/hcl/v2", "go.etcd.io/bbolt"},
	"gateway":  {"github.com/hashicorp/hcl/v2", "go.etcd.io/bbolt"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.HasPrefix(name, "tests") {
			continue // they see the whole house from outside
		}
		room, ok := roomOf(name)
		if !ok {
			t.Errorf("%s is in no room that the design knows", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			checkImport(t, room, name, imported)
		}
	}
}

func checkImport(t *testing.T, room, name, imported string) {
	t.Helper()
	if slices.Contains(mayNotImport[room], imported) {
		t.Errorf("%s imports %s", name, imported)
	}
	ours, found := strings.CutPrefix(imported, module+"/")
	if !found {
		return
	}
	if to, ok := roomOf(ours); !ok || to != room && !slices.Contains(mayImport[room], to) {
		t.Errorf("%s imports %s: imports run one way", name, ours)
	}
}

// roomOf returns the package of mayImport that is, or is above, the named one.
func roomOf(name string) (string, bool) {
	for room := range mayImport {
		if name == room || strings.HasPrefix(name, room+"/") {
			return room, true
		}
	}
	return "", false
}

// listPackages asks go list, which sees what the compiler sees.
func listPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
