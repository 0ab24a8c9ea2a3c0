package harness

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// command is one of the programs of the source tree, compiled once for all
// tests of a test binary.
type command struct {
	name, source string
	race         bool // with the race detector

	once        sync.Once
	dir, binary string
	err         error
}

var (
	gatewayCommand = &command{name: "callhome-gateway", source: "./cmd/callhome-gateway", race: RaceEnabled}
	// The race detector takes ten times the memory and CPU, and 8,128 goroutines
	// at most: what floods cost is measured without.
	plainCommand = &command{name: "callhome-gateway", source: "./cmd/callhome-gateway"}
	// The simulator stands for thousands of devices with a processor each.
	simulatorCommand = &command{name: "callhome-device", source: "./cmd/callhome-device"}
	strangersCommand = &command{name: "strangers", source: "./tests/peers/strangers"}
)

// GatewayBinary compiles the gateway, with the race detector if the tests have
// it.
func GatewayBinary(t testing.TB) string {
	t.Helper()
	return gatewayCommand.path(t)
}

// SimulatorBinary compiles callhome-device.
func SimulatorBinary(t testing.TB) string {
	t.Helper()
	return simulatorCommand.path(t)
}

func (c *command) path(t testing.TB) string {
	t.Helper()
	c.once.Do(func() { c.err = c.build(repository(t)) })
	if c.err != nil {
		t.Fatalf("compiling %s: %v", c.name, c.err)
	}
	return c.binary
}

func (c *command) build(root string) (err error) {
	if c.dir, err = os.MkdirTemp("", "chgw-build"); err != nil {
		return err
	}
	c.binary = filepath.Join(c.dir, c.name)
	args := []string{"build", "-o", c.binary}
	if c.race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, c.source)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Main runs the tests of a package and removes what they compiled. It is for
// TestMain.
func Main(m *testing.M) {
	runMore()
	code := m.Run()
	for _, c := range []*command{gatewayCommand, plainCommand, simulatorCommand, strangersCommand} {
		if c.dir != "" {
			os.RemoveAll(c.dir)
		}
	}
	os.Exit(code)
}

// minParallel is how many tests run at a time on a small machine: most of them
// wait for something most of the time.
const minParallel = 8

// runMore raises the number of parallel tests, unless the command line says it.
func runMore() {
	const name = "test.parallel"
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == name })
	if !asked && runtime.GOMAXPROCS(0) < minParallel {
		_ = flag.Set(name, strconv.Itoa(minParallel))
	}
}
