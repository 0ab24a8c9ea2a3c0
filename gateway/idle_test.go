package gateway

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// idler is a device that is closed when it is idle for a minute.
func idler() *device {
	d := newDevice(DeviceConfig{Name: "edge-1", Sessions: SessionsAuto, IdleClose: time.Minute}, hclog.NewNullLogger())
	d.spawn = func(f func()) bool { f(); return true }
	return d
}

func TestIdleLinksAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := idler()
		closes := func(l *fakeLink, after time.Duration) {
			t.Helper()
			begin := time.Now()
			<-l.Done()
			if took := time.Since(begin); took != after || l.Err().Error() != "no manager has used it for 1m0s (idle_close)" {
				t.Errorf("the link ended after %v, want %v: %v", took, after, l.Err())
			}
		}
		l := newFakeLink(1, nil)
		d.attach(l)
		closes(l, time.Minute)
		if why := d.whyAway(time.Now(), time.Now()); !strings.Contains(why, "(no manager has used it for 1m0s (idle_close))") {
			t.Error(why)
		}
		d.detach(l)

		// Two managers, one after the other: the time begins when the last has gone.
		l = newFakeLink(2, nil)
		d.attach(l)
		time.Sleep(59 * time.Second)
		for range 2 {
			if d.use(t.Context()).link != l {
				t.Error("the device has another link")
			}
		}
		time.Sleep(time.Hour)
		d.unuse()
		time.Sleep(59 * time.Second)
		d.unuse()
		closes(l, time.Minute)

		// Who comes when it was just closed waits for the next call.
		waited := make(chan link)
		go func() { waited <- d.use(t.Context()).link }()
		synctest.Wait()
		next := newFakeLink(3, nil)
		d.attach(next)
		if <-waited != next {
			t.Error("a manager got the old link")
		}
		time.Sleep(2 * time.Minute)
		d.unuse()
		closes(next, time.Minute)
	})
}

func TestIdleCloseFollowsItsConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := idler()
		l := newFakeLink(1, nil)
		d.attach(l)
		config := d.config
		time.Sleep(50 * time.Second)
		config.IdleClose = -1
		d.configure(config)
		time.Sleep(time.Hour)
		if l.Err() != nil {
			t.Fatalf("never came: %v", l.Err())
		}
		config.IdleClose = 2 * time.Hour
		d.configure(config)
		time.Sleep(time.Hour - 51*time.Second)
		if l.Err() != nil {
			t.Fatalf("it ended too early: %v", l.Err())
		}
		time.Sleep(2 * time.Second)
		if l.Err() == nil {
			t.Error("it did not end")
		}
		// One that ends for another reason leaves no timer behind, which would keep
		// the bubble from ending.
		l = newFakeLink(2, nil)
		d.attach(l)
		l.breaks(errors.New("the network"))
		d.detach(l)
	})
}

// A session keeps its link from being idle, and its end begins the wait.
func TestManagersKeepALinkFromBeingIdle(t *testing.T) {
	opts := nocOptions(t)
	h := serve(t, opts)
	l := echoLink(t, "edge-1", 1)
	h.attach("edge-1", l)
	s := hello(t, dial(t, opts.Port, "noc@edge-1"))
	opts.IdleClose = time.Millisecond
	h.reload(opts, 0)
	d := h.known("edge-1")
	d.mu.Lock()
	if d.users != 1 || d.idle != nil {
		t.Errorf("%d use it, and the timer is %v", d.users, d.idle)
	}
	d.mu.Unlock()
	lives(t, "the session", s)
	write(t, s.conn, rpc(2, "<close-session/>"))
	<-l.Done()
}
