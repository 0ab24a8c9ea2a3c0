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

var gatewayBuild struct {
	sync.Once
	dir, binary string
	err         error
}

// GatewayBinary compiles the gateway once for all tests of a test binary, with
// the race detector if that has it.
func GatewayBinary(t testing.TB) string {
	t.Helper()
	b := &gatewayBuild
	b.Do(func() { b.dir, b.binary, b.err = buildGateway(repository(t)) })
	if b.err != nil {
		t.Fatalf("compiling the gateway: %v", b.err)
	}
	return b.binary
}

func buildGateway(source string) (dir, binary string, err error) {
	if dir, err = os.MkdirTemp("", "chgw-build"); err != nil {
		return "", "", err
	}
	binary = filepath.Join(dir, "callhome-gateway")
	args := []string{"build", "-o", binary}
	if RaceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/callhome-gateway")...)
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, binary, nil
}

// Main runs the tests of a package and removes what they compiled. It is for
// TestMain.
func Main(m *testing.M) {
	runMore()
	code := m.Run()
	if gatewayBuild.dir != "" {
		os.RemoveAll(gatewayBuild.dir)
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
