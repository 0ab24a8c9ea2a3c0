package share

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/internal/netconf"
)

const (
	lockRunning   = "<lock><target><running/></target></lock>"
	editCandidate = "<edit-config><target><candidate/></target><config/></edit-config>"
	failure       = "<rpc-error><error-type>protocol</error-type><error-tag>in-use</error-tag><error-severity>error</error-severity></rpc-error>"
)

func TestWhatALeaverHasIsReleasedBeforeOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{}, all, sayOK)
		a, b := open(t, d), open(t, d)
		a.want(lockRunning, ok)
		a.want(editCandidate, ok)
		a.want("<commit><confirmed/></commit>", ok)
		a.want(editCandidate, ok)
		waiting := b.send(`<reboot xmlns="urn:vendor"/>`)
		synctest.Wait()
		_ = a.Close()
		if reply, err := b.read(); err != nil || inner(reply) != ok || <-waiting != nil {
			t.Errorf("got %s, %v", reply, err)
		}
		b.want(lockRunning, ok)
		want := []string{"lock running", "edit-config candidate", "commit", "edit-config candidate",
			"cancel-commit", "discard-changes", "unlock running", "reboot", "lock running"}
		if got := f.received(); !slices.Equal(got, want) {
			t.Errorf("the device received %q", got)
		}
		if len(d.sessions) != 1 {
			t.Errorf("%d sessions are left", len(d.sessions))
		}
	})
}

// The reply to what a leaver had asked counts, though nobody reads it.
func TestALockGrantedToOneWhoHasLeftIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		f, d := newFake(t, Options{}, all, func(_ *fakeDevice, r request) string {
			if r.Op.Local == "lock" {
				<-proceed
			}
			return ok
		})
		a, b := open(t, d), open(t, d)
		if err := <-a.send(lockRunning); err != nil {
			t.Fatal(err)
		}
		waiting := b.send("<edit-config><target><running/></target><config/></edit-config>")
		_ = a.Close()
		close(proceed)
		if reply, err := b.read(); err != nil || inner(reply) != ok || <-waiting != nil {
			t.Errorf("got %s, %v", reply, err)
		}
		if got := f.received(); !slices.Equal(got, []string{"lock running", "unlock running", "edit-config running"}) {
			t.Errorf("the device received %q", got)
		}
	})
}

func TestWaitingForALockBlocksNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{}, all, sayOK)
		a, b, c := open(t, d), open(t, d), open(t, d)
		a.want(lockRunning, ok)
		first := b.send(`<reboot xmlns="urn:vendor"/>`)
		synctest.Wait()
		second := c.send(`<reboot xmlns="urn:vendor"/>`)
		synctest.Wait()
		a.want("<get/>", ok)
		a.want(`<reboot xmlns="urn:vendor"/>`, ok)
		_ = c.Close()
		if err := <-second; err == nil {
			t.Error("one who waits and leaves does not hear of it")
		}
		a.want("<unlock><target><running/></target></unlock>", ok)
		if reply, err := b.read(); err != nil || inner(reply) != ok || <-first != nil {
			t.Errorf("got %s, %v", reply, err)
		}
		want := []string{"lock running", "get", "reboot", "unlock running", "reboot"}
		if got := f.received(); !slices.Equal(got, want) {
			t.Errorf("the device received %q", got)
		}
	})
}

// A device that never answers one manager (yuma drops some rpcs) must not leave
// the others without a word.
func TestWaitingForAnothersRequestHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed := make(chan struct{})
		f, d := newFake(t, Options{Patience: time.Minute}, all, func(_ *fakeDevice, r request) string {
			if r.Op.Local == "reboot" {
				<-proceed
			}
			return ok
		})
		a, b := open(t, d), open(t, d)
		if err := <-a.send(`<reboot xmlns="urn:vendor"/>`); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got := b.do("<get/>")
		for _, want := range []string{"<error-tag>in-use</error-tag>", "reboot of " + heldBy(a.id), "kill-session"} {
			if !strings.Contains(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if waited := time.Since(begin); waited != time.Minute {
			t.Errorf("it took %s", waited)
		}
		close(proceed)
		if reply, err := a.read(); err != nil || inner(reply) != ok {
			t.Errorf("got %s, %v", reply, err)
		}
		b.want("<get/>", ok)
		if got := f.received(); !slices.Equal(got, []string{"reboot", "get"}) {
			t.Errorf("the device received %q", got)
		}
	})
}

func TestLockDeniedNamesTheHolder(t *testing.T) {
	_, d := newFake(t, Options{}, all, sayOK)
	a, b := open(t, d), open(t, d)
	a.want(lockRunning, ok)
	got := b.do(lockRunning)
	for _, want := range []string{"<error-tag>lock-denied</error-tag>", fmt.Sprintf("<session-id>%d</session-id>", a.id)} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// When a session that is not the gateway's holds the lock, the device says so.
func TestTheDevicesOwnLockDeniedPassesAsItIs(t *testing.T) {
	const denied = "<rpc-error><error-tag>lock-denied</error-tag><error-info><session-id>9</session-id></error-info></rpc-error>"
	f, d := newFake(t, Options{}, all, func(*fakeDevice, request) string { return denied })
	a := open(t, d)
	a.want(lockRunning, denied)
	_ = a.Close()
	open(t, d).want(lockRunning, denied)
	if got := f.received(); !slices.Equal(got, []string{"lock running", "lock running"}) {
		t.Errorf("the device received %q", got)
	}
}

func TestACleanUpThatFailsEndsTheLink(t *testing.T) {
	for operation, do := range map[string]string{
		"unlock":          lockRunning,
		"discard-changes": editCandidate,
		"cancel-commit":   "<commit><confirmed/></commit>",
	} {
		t.Run(operation, func(t *testing.T) {
			f, d := newFake(t, Options{}, all, func(_ *fakeDevice, r request) string {
				if r.Op.Local == operation {
					return failure
				}
				return ok
			})
			a := open(t, d)
			a.want(do, ok)
			_ = a.Close()
			<-f.ending
			if !strings.Contains(f.why().Error(), operation) {
				t.Errorf("the link ended: %v", f.why())
			}
		})
	}
}

func TestAnEditThatFailedNeedNotBeDiscarded(t *testing.T) {
	f, d := newFake(t, Options{}, all, func(*fakeDevice, request) string { return failure })
	a := open(t, d)
	a.want(editCandidate, failure)
	_ = a.Close()
	open(t, d).want("<get/>", failure)
	if got := f.received(); !slices.Equal(got, []string{"edit-config candidate", "discard-changes", "get"}) {
		t.Errorf("the device received %q", got)
	}
}

func TestAConfirmedCommitThatCannotBeCancelledEndsTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{}, without(all, netconf.CapabilityBase11), sayOK)
		a, b := open(t, d), open(t, d)
		a.want("<commit><confirmed/></commit>", ok)
		_ = a.Close()
		err := <-b.send("<commit/>")
		if !errors.Is(err, ErrEnding) || !errors.Is(f.why(), errConfirmed) {
			t.Errorf("Send: %v; the link ended: %v", err, f.why())
		}
		if got := f.received(); !slices.Equal(got, []string{"commit"}) {
			t.Errorf("the device received %q", got)
		}
	})
}

func TestAPersistentCommitOutlivesItsManager(t *testing.T) {
	f, d := newFake(t, Options{}, all, sayOK)
	a := open(t, d)
	a.want("<commit><confirmed/><persist>x</persist></commit>", ok)
	_ = a.Close()
	b := open(t, d)
	b.want("<commit/>", "in-use")
	b.want("<commit><persist-id>x</persist-id></commit>", ok)
	b.want("<commit/>", ok)
	if got := f.received(); !slices.Equal(got, []string{"commit", "commit", "commit"}) {
		t.Errorf("the device received %q", got)
	}
}

// A manager that reads nothing is ended by the gateway; others go on.
func TestAManagerThatStallsWithinAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, d := newFake(t, Options{}, all, func(_ *fakeDevice, r request) string {
			return "<data>" + strings.Repeat("<x/>", 100_000) + "</data>"
		})
		a, b := open(t, d), open(t, d)
		if err := <-a.send("<get/>"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Next(); err != nil {
			t.Fatal(err)
		}
		waiting := b.send("<get/>")
		synctest.Wait()
		_ = a.Close()
		if reply, err := b.read(); err != nil || len(reply) < 400_000 || <-waiting != nil {
			t.Errorf("got %d bytes, %v", len(reply), err)
		}
	})
}
