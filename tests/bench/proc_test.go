package bench

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

var vmRSS = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

// rss returns a process's resident memory in KiB.
func rss(b *testing.B, pid int) int {
	b.Helper()
	found := vmRSS.FindSubmatch(proc(b, pid, "status"))
	if found == nil {
		b.Fatal("no VmRSS in /proc")
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		b.Fatal(err)
	}
	return kib
}

// cpuTime returns the CPU time that a process has used, to 10 ms. Where other
// programs run too it tells more than what the clock says.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	const tick = 10 * time.Millisecond // USER_HZ is 100 on all that Go runs on
	stat := proc(b, pid, "stat")
	// Behind the name in parentheses come the state and other fields: utime and
	// stime are the 12th and 13th (proc(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		b.Fatalf("/proc tells of the CPU time only %q", stat)
	}
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}

func proc(b *testing.B, pid int, file string) []byte {
	b.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		b.Fatal(err)
	}
	return content
}
