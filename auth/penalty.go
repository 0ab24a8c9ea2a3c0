package auth

import (
	"net/netip"
	"time"
)

// What a wrong password costs, in time that must pass: ten for one manager from
// one source are free, then one every 5 s. A source as a whole has a hundred,
// and then one every second: those who share an address with a script that has
// the wrong password go on logging in under their own names.
const (
	pairCost    = 5 * time.Second
	pairBound   = 10 * pairCost
	sourceCost  = time.Second
	sourceBound = 100 * sourceCost

	// Beyond the bounds nothing is hashed, but a manager that has logged in from
	// there is still told by what was remembered of its password, up to a
	// thousand guesses and then five a second. Else a neighbour could shut it out
	// by guessing; without an end the neighbour could guess without being slowed
	// down.
	knockCost  = 200 * time.Millisecond
	knockBound = pairBound + 1000*knockCost

	// tryCost is what a try counts for where it is decided who goes first. It
	// outlasts the time that a few thousand sources need for a try each.
	tryCost  = time.Minute
	tryBound = time.Hour

	// penaltyDebtors bounds the memory that addresses and names can take, of each
	// kind.
	penaltyDebtors = 16384
)

// penalties slow down those who guess.
type penalties struct {
	pairs   *Debts[guesser]
	sources *Debts[netip.Prefix]
	tries   *Debts[netip.Prefix]
}

// guesser is who tries to be which manager. The name is a MAC: it may be long.
type guesser struct {
	source netip.Prefix
	name   loginTag
}

func newPenalties() penalties {
	return penalties{
		pairs:   NewDebts[guesser](penaltyDebtors),
		sources: NewDebts[netip.Prefix](penaltyDebtors),
		tries:   NewDebts[netip.Prefix](penaltyDebtors),
	}
}

// knock reports whether what is remembered of right passwords may be asked.
func (p *penalties) knock(g guesser) bool { return p.pairs.Owed(g) <= knockBound-knockCost }

// take charges one try and reports whether it may be hashed. It is charged
// before its result is known, or many at once would be free. A try that may not
// is charged as well, less.
func (p *penalties) take(g guesser) bool {
	if !p.pairs.Take(g, pairCost, pairBound) {
		p.pairs.Charge(g, knockCost, knockBound)
		return false
	}
	if !p.sources.Take(g.source, sourceCost, sourceBound) {
		p.pairs.Pay(g, pairCost-knockCost)
		return false
	}
	return true
}

// refund takes the charge back: the try succeeded, or was never decided.
func (p *penalties) refund(g guesser) {
	p.pairs.Pay(g, pairCost)
	p.sources.Pay(g.source, sourceCost)
}

// begin counts a try for who goes first and returns what the source has tried
// before. It is taken back by succeed only: who is turned away because too
// many try has tried.
func (p *penalties) begin(source netip.Prefix) time.Duration {
	before := p.tries.Owed(source)
	p.tries.Charge(source, tryCost, tryBound)
	return before
}

func (p *penalties) succeed(source netip.Prefix) { p.tries.Pay(source, tryCost) }

// tried reports whether a try of the source has not succeeded lately.
func (p *penalties) tried(source netip.Prefix) bool { return p.tries.Owed(source) > 0 }
