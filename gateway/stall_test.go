package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestStallWatchReportsOnlyWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = time.Minute
		var stalled time.Time
		w := stallWatch{limit: limit, stalled: func() { stalled = time.Now() }}
		// For hours there is always an operation, though never a long one.
		for range 200 {
			w.begin()
			time.Sleep(limit - time.Second)
			w.end()
		}
		time.Sleep(10 * limit)
		synctest.Wait()
		if !stalled.IsZero() {
			t.Fatal("operations within the limit were reported")
		}
		w.begin()
		w.end()
		time.Sleep(limit / 2) // the timer is half through
		begin := time.Now()
		w.begin()
		time.Sleep(3 * limit)
		synctest.Wait()
		if late := stalled.Sub(begin); late != limit {
			t.Fatalf("an operation that does not end was reported after %v, not %v", late, limit)
		}
	})
}

func TestStallWatchSetsNoTimerOnceStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := stallWatch{limit: time.Minute, stalled: func() { t.Error("reported after the stop") }}
		w.begin()
		w.stop()
		time.Sleep(2 * w.limit)
		synctest.Wait()
	})
}
