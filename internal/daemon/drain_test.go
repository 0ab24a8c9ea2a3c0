package daemon

import (
	"errors"
	"testing"
	"time"

	"callhome-gateway/internal/config"
	"callhome-gateway/internal/control"

	"github.com/hashicorp/go-hclog"
)

func TestADrainLetsManagersFinishBeforeDevicesGo(t *testing.T) {
	var log syncBuffer
	r, device := approved(t, changed(testConfig(t), func(c *config.Config) { c.DrainTimeout, c.DrainRate = time.Hour, 100 }),
		func(o *Options) { o.Log = hclog.New(&hclog.LoggerOptions{Output: &log}) })
	m := startManager(t, device.Port, "noc", "secret")
	r.drain()
	log.await(t, "nobody new is let in: manager_sessions=1 links=1 drain_timeout=1h0m0s")
	for deadline := time.Now().Add(20 * time.Second); answers(r.Callhome) || answers(endpoint(device.Port)); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("somebody new is let in")
		}
	}
	if still, err := r.Device(t.Context(), "edge-1"); err != nil || still.State != control.StateConnected || still.Managers != 1 || m.ended() {
		t.Errorf("who was there is not any more: %+v, %v", still, err)
	}
	if s, err := r.Status(t.Context()); err != nil || s.CallhomeRunning || s.Callhome.Listening || s.Gateway.Listening || !s.Draining {
		t.Errorf("status says that somebody is let in: %+v, %v", s, err)
	}
	if _, err := r.Client.Reload(t.Context()); !errors.Is(err, control.ErrStopping) {
		t.Errorf("it is too late to change anything: %v", err)
	}
	m.client.Close()
	log.await(t, "closing the connections of devices: links=1")
	log.await(t, "the gateway is stopping") // why the link ended
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	log.await(t, "callhome-gateway has stopped")
}

func TestADrainDoesNotWaitForEver(t *testing.T) {
	var log syncBuffer
	r, device := approved(t, changed(testConfig(t), func(c *config.Config) { c.DrainTimeout = 10 * time.Millisecond }),
		func(o *Options) { o.Log = hclog.New(&hclog.LoggerOptions{Output: &log}) })
	m := startManager(t, device.Port, "noc", "secret")
	r.drain()
	m.awaitEnd(t)
	log.await(t, "did not end in time (drain_timeout): they are ended: manager_sessions=1")
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

func TestADrainEndsAtOnceWhenItIsTold(t *testing.T) {
	r, device := approved(t, changed(testConfig(t), func(c *config.Config) { c.DrainTimeout = time.Hour }), nil)
	m := startManager(t, device.Port, "noc", "secret")
	r.drain()
	r.house.stop() // as SIGINT does
	m.awaitEnd(t)
}
