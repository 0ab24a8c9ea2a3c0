package tests

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// A reply streams: what the gateway holds of it does not depend on its size.
func TestAReplyOfAGibibyteTakesNoMemoryOfTheGateway(t *testing.T) {
	t.Parallel()
	const size = 1 << 30
	mayGrow := int64(16 << 20)
	if harness.RaceEnabled { // it remembers who has touched which byte
		mayGrow *= 8
	}
	l := tlsSimulatorLab(t, harness.Config{}, devicesim.Options{})
	s, other := l.pair(t)
	ask := func(size int64) {
		t.Helper()
		filter := fmt.Sprintf(`<get-config><source><running/></source><filter type="subtree"><blob xmlns="%s"><size>%d</size></blob></filter></get-config>`, devicesim.NamespaceSim, size)
		if err := s.Send(harness.RPC("1", filter)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Discard(5 * time.Minute); err != nil || n < size {
			t.Fatalf("%d bytes came: %v", n, err)
		}
	}
	ask(16 << 20) // what is allocated once is allocated now
	peakBefore := peakMemory(t, l.PID())
	begin := time.Now()
	ask(size)
	if grown := peakMemory(t, l.PID()) - peakBefore; grown > mayGrow {
		t.Errorf("the gateway has grown by %d MiB", grown>>20)
	} else {
		t.Logf("the gateway has grown by %d KiB, in %v", grown>>10, time.Since(begin).Round(time.Millisecond))
	}
	answersWithin(t, other, harness.ReplyTimeout)
}

var (
	vmHWM = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)
	vmRSS = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)
)

// peakMemory is the most that was resident of a process since its start, in bytes.
func peakMemory(t *testing.T, pid int) int64 { return memoryOf(t, pid, vmHWM) }

// residentMemory is what is resident of it now.
func residentMemory(t *testing.T, pid int) int64 { return memoryOf(t, pid, vmRSS) }

func memoryOf(t *testing.T, pid int, which *regexp.Regexp) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := which.FindSubmatch(status)
	if found == nil {
		t.Fatalf("no %s in /proc", which)
	}
	kib, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
