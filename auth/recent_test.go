package auth

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecent[int](time.Minute, 16)
		for i := range 100 {
			r.Note(i)
		}
		if len(r.left.due) > 16 || !r.Has(99) {
			t.Errorf("%d are remembered, the newest %t", len(r.left.due), r.Has(99))
		}
		time.Sleep(time.Minute / 2)
		r.Note(99)
		time.Sleep(time.Minute - 1)
		if !r.Has(99) || r.Has(98) {
			t.Errorf("noted again in time: %t; not: %t", r.Has(99), r.Has(98))
		}
		if time.Sleep(time.Nanosecond); r.Has(99) {
			t.Error("it is never forgotten")
		}
	})
}
