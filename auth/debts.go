package auth

import (
	"sync"
	"time"
)

// debtSample is how many debts are looked at to find one that can be forgotten.
const debtSample = 8

// Debts remember who has cost us something without need. A debt is a time: it
// is paid off by letting that time pass. Beyond the limit of debtors small
// debts are forgotten for new ones. The zero value must not be used; all
// methods may be called concurrently and take constant time.
type Debts[K comparable] struct {
	limit int

	mu  sync.Mutex // guards due
	due map[K]time.Time
}

// NewDebts returns an empty book for so many debtors.
func NewDebts[K comparable](limit int) *Debts[K] {
	return &Debts[K]{limit: limit, due: make(map[K]time.Time)}
}

// Owed returns what the debtor owes.
func (d *Debts[K]) Owed(debtor K) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.owedLocked(debtor)
}

// Charge adds to what the debtor owes, up to at most; what it owes beyond that
// already stays.
func (d *Debts[K]) Charge(debtor K, amount, atMost time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.chargeLocked(debtor, min(amount, atMost-d.owedLocked(debtor)))
}

// Take charges the amount if the debt stays within the bound, and reports
// whether it did.
func (d *Debts[K]) Take(debtor K, amount, bound time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.owedLocked(debtor)+amount > bound {
		return false
	}
	d.chargeLocked(debtor, amount)
	return true
}

// Pay takes from what the debtor owes.
func (d *Debts[K]) Pay(debtor K, amount time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if owed := d.owedLocked(debtor) - amount; owed > 0 {
		d.due[debtor] = time.Now().Add(owed)
	} else {
		delete(d.due, debtor)
	}
}

func (d *Debts[K]) owedLocked(debtor K) time.Duration {
	return max(0, time.Until(d.due[debtor]))
}

func (d *Debts[K]) chargeLocked(debtor K, amount time.Duration) {
	if amount <= 0 {
		return
	}
	if _, known := d.due[debtor]; !known && len(d.due) >= d.limit {
		d.forgetLocked()
	}
	d.due[debtor] = time.Now().Add(d.owedLocked(debtor) + amount)
}

// forgetLocked drops the smallest debt of some: the order in which a map is
// gone through begins anywhere. To look at all would cost too much in a flood.
func (d *Debts[K]) forgetLocked() {
	var least K
	var soonest time.Time
	seen := 0
	for debtor, due := range d.due {
		if seen == 0 || due.Before(soonest) {
			least, soonest = debtor, due
		}
		if seen++; seen == debtSample {
			break
		}
	}
	delete(d.due, least)
}
