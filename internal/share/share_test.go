package share

import (
	"testing"
	"testing/synctest"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := newFake(t, Options{}, all, sayOK)
		a, b := open(t, d), open(t, d)
		a.want("<lock><target><running/></target></lock>", ok)
		b.want("<lock><target><running/></target></lock>", "lock-denied")
		b.want("<get/>", ok)
		_ = a.Close()
		b.want("<lock><target><running/></target></lock>", ok)
		t.Log(f.received())
	})
}
