package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"callhome-gateway/internal/control"
	"callhome-gateway/tests/harness"
)

const (
	fleetSize = 2000
	// quietTime is how long nothing but keepalives happens before the memory
	// of a quiet gateway is measured: it returns what a storm left behind
	// after some 15 seconds.
	quietTime = 20 * time.Second
	// parallelManagers is how many read a reply at a time.
	parallelManagers = 8
)

// BenchmarkIdleMemory measures the gateway's resident memory for each of many
// devices in another process, less what it had before any: right after all
// have called at once ("storm"), when it is quiet, and for one case also after
// a manager has read 1 MiB from every device.
func BenchmarkIdleMemory(b *testing.B) {
	for _, c := range []struct {
		name      string
		helloSize string
		north     []string
		replies   bool
		tls       bool
	}{
		{name: "hello-3KB", helloSize: "3000", replies: true},
		{name: "tls-hello-3KB", helloSize: "3000", replies: true, tls: true},
		{name: "hello-3KB-own-ports", helloSize: "3000", north: []string{`ports = "20000-29999"`}},
		{name: "hello-40KiB", helloSize: "40960"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				idle := startIdle(b, c.helloSize, c.north, c.tls)
				idle.measure(b, "storm")
				idle.measureQuiet(b, "quiet")
				if c.replies {
					idle.replyOnAll(b)
					idle.measure(b, "replied")
					idle.measureQuiet(b, "replied-quiet")
				}
				idle.count(b)
			}
			noTime(b)
		})
	}
}

// idle is a gateway with a fleet that has nothing to do.
type idle struct {
	*gateway
	before int // KiB without any device
}

func startIdle(b *testing.B, helloSize string, north []string, overTLS bool) *idle {
	device := harness.NewDeviceTLS(b, deviceUser)
	user := block(`user "fleet"`, []string{
		fmt.Sprintf("username = %q", deviceUser), fmt.Sprintf("password = %q", password), "first_use_password = true",
	})
	if overTLS {
		user = harness.TLSUserEntry("fleet", device.Login)
	}
	g := startGateway(b, []string{`trust = "first-use"`, `users = ["fleet"]`}, north, user)
	i := &idle{gateway: g, before: rss(b, g.PID())}
	begin := time.Now()
	// from an address each, as in the field: handshakes are bounded for one
	fleet := []string{"--count", strconv.Itoa(fleetSize), "--hello-size", helloSize, "--source", "127.2.0.0/16"}
	if overTLS {
		startTLSSimulator(b, g.callHomeTLS(), device.Logins, fleet...)
	} else {
		startSimulator(b, g.callHome(), fleet...)
	}
	g.awaitDevices(b, fleetSize)
	b.ReportMetric(time.Since(begin).Seconds(), "connect-s")
	b.ReportMetric(float64(i.before)/1024, "before-MiB")
	return i
}

// measure reports the resident memory for each device now.
func (i *idle) measure(b *testing.B, when string) {
	b.ReportMetric(float64(rss(b, i.PID())-i.before)/fleetSize, when+"-KiB/device")
}

// measureQuiet lets the quiet time pass, in which all devices must stay.
func (i *idle) measureQuiet(b *testing.B, when string) {
	time.Sleep(quietTime)
	i.measure(b, when)
	i.awaitDevices(b, fleetSize)
}

// count reports what the devices cost besides memory.
func (i *idle) count(b *testing.B) {
	status, err := i.control.Status(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(status.Goroutines)/fleetSize, "goroutines/device")
	b.ReportMetric(float64(status.OpenFiles)/fleetSize, "files/device")
}

// replyOnAll lets a manager read 1 MiB from every device, and waits until all
// managers are gone.
func (i *idle) replyOnAll(b *testing.B) {
	devices, err := i.control.Devices(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	names := make(chan string)
	var managers sync.WaitGroup
	for range parallelManagers {
		managers.Go(func() {
			for name := range names {
				if err := i.replyOn(name); err != nil {
					b.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	for _, d := range devices {
		names <- d.Name
	}
	close(names)
	managers.Wait()
	i.await(b, "the managers to be gone", func(s control.Status) bool { return s.Managers == 0 })
}

func (i *idle) replyOn(device string) error {
	m, err := tryConnect(i.target(device))
	if err != nil {
		return err
	}
	defer m.close()
	_, err = m.exchange(blobRequest(1 << 20))
	return err
}
