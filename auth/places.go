package auth

import (
	"cmp"
	"container/heap"
	"net/netip"
	"sync"
	"time"
)

const (
	// placesShare is the part of all places that one source may have unless
	// something else is said.
	placesShare = 4
	// minPlaces is what a source may then have at least.
	minPlaces = 4
	// The other side may keep us waiting for some time before its place can go
	// to somebody else: honest ones in a storm must not evict one another. It is
	// twice what those with a good name take, within these bounds, and becomes
	// shorter with every eviction.
	minPatience   = 250 * time.Millisecond
	firstPatience = time.Second
	maxPatience   = 6 * time.Second
	// ownPatience is the same within a source that has its share: the devices
	// behind one NAT rather wait for the slowest of them than push it out.
	ownPatience = 2 * time.Second
)

// Places bounds what is in progress for strangers. Who comes when all places
// are taken gets that of somebody who keeps us waiting: what has come in but
// says nothing shuts nobody out. Whom we keep waiting is never evicted. What
// counts is for how long a place has waited in all: it does not begin anew when
// a little comes now and then.
//
//   - When all are taken, the victim is of the source that has most places,
//     penalised sources before all others and known ones behind them, and waits
//     longest there. If those of the largest source have only just begun to wait,
//     it is the one that waits longest of all, unless that is of a better class
//     than they are. For a newcomer of a better class than its own it need not
//     have waited at all.
//   - A source has its share: a quarter of all, and 4 at least, unless something
//     else is said. When it has those, its own victim is the one that waits
//     longest, for 2 s at least.
//   - Without a victim the newcomer gets no place.
//
// An exempt source has no share, and each of its places counts as a source of
// its own. All methods may be called concurrently, and take a time that grows
// with the logarithm of the number of sources.
type Places struct {
	limit, share int

	mu       sync.Mutex // guards the following, and all of every source and place
	total    int
	patience time.Duration
	sources  map[sourceKey]*placesSource
	// ranked has the sources with a place that waits, the next to lose one first.
	ranked placesRank
	// waiting has all places that wait.
	waiting placesQueue
	entered uint64
}

// sourceKey keeps the exempt addresses of a network apart from its others.
type sourceKey struct {
	prefix netip.Prefix
	exempt bool
}

// Arrival is who asks for a place.
type Arrival struct {
	Source netip.Prefix
	// Exempt sources are bounded by the total only.
	Exempt bool
	// Penalised sources lose their places first, and Known ones, from which
	// something good has come, last.
	Penalised, Known bool
	// Evict ends what the place was taken for. It is called once at most, by
	// the Enter of somebody else, and must not block.
	Evict func()
}

// class is the better the higher it is.
type class int

const (
	classPenalised class = iota
	classStranger
	classKnown
)

func (a Arrival) class() class {
	switch {
	case a.Penalised:
		return classPenalised
	case a.Known:
		return classKnown
	}
	return classStranger
}

// Place is one that is taken.
type Place struct {
	places *Places
	source *placesSource
	evict  func()
	number uint64
	// waits says that the other side keeps us waiting; since is when it began to,
	// as if it had done so without a break, and index is where it is in the queue
	// of its source and in that of all.
	waits   bool
	since   time.Time
	index   [2]int
	waited  time.Duration // before, in all
	gone    bool
	evicted bool
}

// placesSource is one source. It is in the map while it has places.
type placesSource struct {
	key     sourceKey
	class   class
	places  int
	waiting placesQueue
	index   int // in the rank, while waiting is not empty
}

// NewPlaces returns a number of free places.
func NewPlaces(limit int) *Places {
	return NewSharedPlaces(limit, max(minPlaces, limit/placesShare))
}

// NewSharedPlaces is NewPlaces with another share for each source.
func NewSharedPlaces(limit, share int) *Places {
	return &Places{
		limit: limit, share: share, patience: firstPatience,
		sources: make(map[sourceKey]*placesSource), waiting: placesQueue{which: ofAll},
	}
}

// Enter takes a place, or returns nil when there is none. The place begins as
// one whose other side keeps us waiting.
func (p *Places) Enter(a Arrival) *Place {
	p.mu.Lock()
	source := p.sourceLocked(a)
	victim, ok := p.roomLocked(source, time.Now())
	if !ok {
		p.dropLocked(source)
		p.mu.Unlock()
		return nil
	}
	if victim != nil {
		victim.evicted = true
		victim.leaveLocked()
		p.adaptLocked(minPatience, 64)
		p.sources[source.key] = source // it may have been the last of its own
	}
	p.entered++
	place := &Place{places: p, source: source, evict: a.Evict, number: p.entered}
	p.total++
	source.places++
	place.waitLocked()
	p.mu.Unlock()
	if victim != nil {
		victim.evict()
	}
	return place
}

func (p *Places) sourceLocked(a Arrival) *placesSource {
	key := sourceKey{a.Source, a.Exempt}
	source := p.sources[key]
	if source == nil {
		source = &placesSource{key: key, waiting: placesQueue{which: ofSource}}
		p.sources[key] = source
	}
	source.class = a.class()
	p.rankLocked(source)
	return source
}

// roomLocked reports whether there is a place for the source, and who must go
// for it.
func (p *Places) roomLocked(source *placesSource, now time.Time) (victim *Place, ok bool) {
	if !source.key.exempt && source.places >= p.share {
		victim = source.waiting.oldest()
		return victim, victim != nil && now.Sub(victim.since) >= ownPatience
	}
	if p.total < p.limit {
		return nil, true
	}
	if len(p.ranked) == 0 {
		return nil, false
	}
	if victim = p.ranked[0].waiting.oldest(); victim.source.class < source.class {
		return victim, true
	}
	if now.Sub(victim.since) < p.patience {
		oldest := p.waiting.oldest()
		if oldest.source.class > victim.source.class {
			return nil, false // a better class makes no room for a worse one
		}
		victim = oldest
	}
	return victim, now.Sub(victim.since) >= p.patience
}

// Waiting says whether the other side keeps us waiting from now on, or we it.
func (l *Place) Waiting(is bool) {
	p := l.places
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case l.gone, is == l.waits:
	case is:
		l.waitLocked()
	default:
		l.workLocked()
	}
}

// Vouch says that the other side has proved to be one that we are here for. So
// long as it did, others may take too.
func (l *Place) Vouch() {
	p := l.places
	p.mu.Lock()
	defer p.mu.Unlock()
	waited := l.waited
	if l.waits {
		waited = time.Since(l.since)
	}
	p.adaptLocked(min(max(2*waited, minPatience), maxPatience), 16)
}

// adaptLocked moves the patience towards what is wanted: at once where it is to
// grow, else by a part of the difference.
func (p *Places) adaptLocked(want time.Duration, part int) {
	p.patience = max(want, p.patience-(p.patience-want)/time.Duration(part))
}

// Leave gives the place back. Doing so again, or after it was evicted, changes
// nothing.
func (l *Place) Leave() {
	l.places.mu.Lock()
	defer l.places.mu.Unlock()
	if !l.gone {
		l.leaveLocked()
	}
}

// Evicted reports whether somebody else was given the place.
func (l *Place) Evicted() bool {
	l.places.mu.Lock()
	defer l.places.mu.Unlock()
	return l.evicted
}

// Taken returns how many places are taken.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

func (l *Place) waitLocked() {
	l.waits, l.since = true, time.Now().Add(-l.waited)
	heap.Push(&l.source.waiting, l)
	heap.Push(&l.places.waiting, l)
	l.places.rankLocked(l.source)
}

func (l *Place) workLocked() {
	l.waits, l.waited = false, time.Since(l.since)
	heap.Remove(&l.source.waiting, l.index[ofSource])
	heap.Remove(&l.places.waiting, l.index[ofAll])
	l.places.rankLocked(l.source)
}

func (l *Place) leaveLocked() {
	p := l.places
	l.gone = true
	p.total--
	l.source.places--
	if l.waits {
		l.workLocked()
	} else {
		p.rankLocked(l.source)
	}
	p.dropLocked(l.source)
}

// dropLocked forgets a source without a place.
func (p *Places) dropLocked(source *placesSource) {
	if source.places == 0 {
		delete(p.sources, source.key)
	}
}

// rankLocked puts the source where it belongs in the rank.
func (p *Places) rankLocked(source *placesSource) {
	ranked := source.index < len(p.ranked) && p.ranked[source.index] == source
	switch waits := source.waiting.Len() > 0; {
	case waits && ranked:
		heap.Fix(&p.ranked, source.index)
	case waits:
		heap.Push(&p.ranked, source)
	case ranked:
		heap.Remove(&p.ranked, source.index)
	}
}

// weight is what the source counts as where the largest is looked for.
func (s *placesSource) weight() int {
	if s.key.exempt {
		return 1
	}
	return s.places
}

// placesRank is a heap of sources: the next to lose a place is the first.
type placesRank []*placesSource

func (r placesRank) Len() int { return len(r) }

func (r placesRank) Less(i, j int) bool {
	a, b := r[i], r[j]
	switch {
	case a.class != b.class:
		return a.class < b.class
	case a.weight() != b.weight():
		return a.weight() > b.weight()
	}
	return a.waiting.oldest().before(b.waiting.oldest())
}

func (r placesRank) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].index, r[j].index = i, j
}

// Push implements heap.Interface.
func (r *placesRank) Push(source any) {
	s := source.(*placesSource)
	s.index = len(*r)
	*r = append(*r, s)
}

// Pop implements heap.Interface.
func (r *placesRank) Pop() any {
	last := len(*r) - 1
	s := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return s
}

// The queues that a place waits in.
const (
	ofSource = iota
	ofAll
)

// placesQueue is a heap of the places that wait: the first has waited longest.
type placesQueue struct {
	which  int
	places []*Place
}

// oldest returns the place that has waited longest, or nil.
func (q *placesQueue) oldest() *Place {
	if len(q.places) == 0 {
		return nil
	}
	return q.places[0]
}

// before reports whether the place has waited longer than the other, or as long
// and was taken before.
func (l *Place) before(other *Place) bool {
	return cmp.Or(l.since.Compare(other.since), cmp.Compare(l.number, other.number)) < 0
}

func (q *placesQueue) Len() int { return len(q.places) }

func (q *placesQueue) Less(i, j int) bool { return q.places[i].before(q.places[j]) }

func (q *placesQueue) Swap(i, j int) {
	q.places[i], q.places[j] = q.places[j], q.places[i]
	q.places[i].index[q.which], q.places[j].index[q.which] = i, j
}

// Push implements heap.Interface.
func (q *placesQueue) Push(place any) {
	l := place.(*Place)
	l.index[q.which] = len(q.places)
	q.places = append(q.places, l)
}

// Pop implements heap.Interface.
func (q *placesQueue) Pop() any {
	last := len(q.places) - 1
	l := q.places[last]
	q.places[last] = nil
	q.places = q.places[:last]
	return l
}
