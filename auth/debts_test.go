package auth

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDebtsDecay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDebts[string](4)
		want := func(owed time.Duration) {
			t.Helper()
			if got := d.Owed("a"); got != owed {
				t.Errorf("owes %s, want %s", got, owed)
			}
		}
		want(0)
		d.Charge("a", 5*time.Second, 8*time.Second)
		time.Sleep(time.Second)
		want(4 * time.Second)
		d.Charge("a", 5*time.Second, 8*time.Second)
		want(8 * time.Second)
		d.Charge("a", 5*time.Second, 2*time.Second)
		want(8 * time.Second)
		d.Pay("a", 3*time.Second)
		want(5 * time.Second)
		time.Sleep(time.Minute)
		want(0)
		d.Pay("a", time.Second)
		want(0)
	})
}

func TestDebtsAreTakenUpToTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDebts[string](4)
		for i := range 3 {
			if got := d.Take("a", time.Second, 2*time.Second); got != (i < 2) {
				t.Errorf("debt %d: taken %t", i, got)
			}
		}
		time.Sleep(time.Second)
		if !d.Take("a", time.Second, 2*time.Second) {
			t.Error("a second later there is no room")
		}
	})
}

func TestSmallDebtsAreForgottenForNewOnes(t *testing.T) {
	d := NewDebts[int](debtSample)
	for debtor := range 100 * debtSample {
		d.Charge(debtor+1, time.Second, time.Hour)
		d.Charge(0, time.Minute, time.Hour)
	}
	if len(d.due) > debtSample {
		t.Errorf("%d debts are remembered", len(d.due))
	}
	if d.Owed(0) < time.Minute {
		t.Error("the largest debt was forgotten")
	}
}
