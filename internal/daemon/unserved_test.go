package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/crypto/ssh"
)

// TestManyDevicesWithoutAPortAreALineInTheLog has more devices than ports, at the
// start and at a reload.
func TestManyDevicesWithoutAPortAreALineInTheLog(t *testing.T) {
	c := changed(testConfig(t), func(c *config.Config) { c.Gateway.Ports = gateway.PortRange{First: 23999, Last: 23999} })
	lines := make([]string, 9)
	for i := range lines {
		lines[i] = fmt.Sprintf("%s edge-%d", ssh.FingerprintSHA256(seededKey(t, fmt.Sprint(i)).PublicKey()), i)
	}
	listed(t, c, lines...)
	var log syncBuffer
	r := startReloading(t, c, func(o *Options) { o.Log = hclog.New(&hclog.LoggerOptions{Output: &log}) })
	told := func() int { return strings.Count(log.String(), "no port is left") }
	for deadline := time.Now().Add(20 * time.Second); told() == 0; time.Sleep(5 * time.Millisecond) { // behind the start
		if time.Now().After(deadline) {
			t.Fatalf("the log tells of no port that is missing:\n%s", log.String())
		}
	}
	if _, err := r.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := told(); n != 2 {
		t.Errorf("%d lines, want one at the start and one at the reload:\n%s", n, log.String())
	}
	if !strings.Contains(log.String(), "widen gateway.ports: devices=8") {
		t.Errorf("the log does not say what to do:\n%s", log.String())
	}
}
