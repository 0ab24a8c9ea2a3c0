package auth

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/ssh"
)

// Attempt is one try of a manager to log in.
type Attempt struct {
	// Manager is the name that it gave, or that cert-to-name gave for its
	// certificate; anything may be in it.
	Manager string
	// Device is the device that it asked for; empty when it named none, which
	// every manager with devices may do.
	Device string
	// Source is where it comes from.
	Source netip.Addr
	// Working is told true when the manager begins to wait for its password to be
	// hashed, and false when that is over. nil means that nobody wants to know.
	Working func(bool)
}

// LoginOptions are what decides about managers' logins.
type LoginOptions struct {
	// Managers are those that may log in. Their names must be unique.
	Managers []Manager
	// UserCAs are the keys that sign SSH certificates of managers.
	UserCAs []ssh.PublicKey
	// Sources say what counts as one source. Exempt ones pay for wrong passwords
	// as all others do.
	Sources Sources
	// Places is how many may be logging in (see Places; 0: any number). Those whose
	// passwords wait to be hashed keep theirs, so they must not be many of them.
	Places int
}

// hashWaitingShare is the part of the places whose passwords may wait.
const hashWaitingShare = 8

func (o LoginOptions) hashWaiting() int {
	if o.Places == 0 {
		return maxHashWaiting
	}
	return min(maxHashWaiting, max(1, o.Places/hashWaitingShare))
}

// Logins decides who a manager is and whether it may reach the device that it
// asked for. To the one who tries, all failures look alike, in time as well:
// an unknown manager, a wrong password and a device that is not allowed cost
// as much hashing. Its methods may be called concurrently.
type Logins struct {
	managers map[string]*Manager
	// byCertificate has the managers by every name that cert-to-name may give.
	byCertificate map[string]*Manager
	userCAs       map[string]bool // marshalled keys
	sources       Sources
	// decoy is the hash that is computed where there is none to compare with:
	// the most expensive of the managers'. Empty when no password is right.
	decoy string
	*loginMemory
}

// loginMemory is what outlives a change of the managers.
type loginMemory struct {
	// hash is bcrypt.CompareHashAndPassword, but for tests.
	hash      func(hash, password []byte) error
	queue     hashQueue
	penalties penalties
	cache     *loginCache
	// known has the sources from which somebody has logged in.
	known *Recent[netip.Prefix]
	// took is how long the last wrong password was hashed for, with the wait for
	// its turn.
	took atomic.Int64
}

const (
	// knownTTL is for how long a source is known.
	knownTTL  = 24 * time.Hour
	knownSize = 4096
)

// NewLogins returns the decision, or an error that names what is wrong with a
// manager or a CA.
func NewLogins(o LoginOptions) (*Logins, error) {
	memory := &loginMemory{
		hash: bcrypt.CompareHashAndPassword,
		// Hashing takes a quarter of a second of CPU: half of the machine stays
		// with the sessions that run.
		queue:     hashQueue{slots: max(1, runtime.GOMAXPROCS(0)/2), most: o.hashWaiting()},
		penalties: newPenalties(),
		cache:     newLoginCache(),
		known:     NewRecent[netip.Prefix](knownTTL, knownSize),
	}
	return memory.logins(o)
}

// With returns the decision by other options, except for Places, which stay. The
// two share what they remember: whoever has guessed goes on paying for it, and
// right passwords are known as long as their hashes stay.
func (l *Logins) With(o LoginOptions) (*Logins, error) { return l.logins(o) }

// logins returns the decision by these options.
func (memory *loginMemory) logins(o LoginOptions) (*Logins, error) {
	userCAs, err := newUserCAs(o.UserCAs)
	if err != nil {
		return nil, err
	}
	l := &Logins{
		managers:      make(map[string]*Manager, len(o.Managers)),
		byCertificate: make(map[string]*Manager, len(o.Managers)),
		userCAs:       userCAs,
		sources:       o.Sources,
		loginMemory:   memory,
	}
	worst := 0
	for i := range o.Managers {
		m := o.Managers[i]
		if err := m.check(); err != nil {
			return nil, err
		}
		if l.managers[m.Name] != nil {
			return nil, fmt.Errorf("manager %q is defined twice", m.Name)
		}
		l.managers[m.Name] = &m
		if cost, err := bcrypt.Cost([]byte(m.PasswordHash)); err == nil && cost > worst {
			worst, l.decoy = cost, m.PasswordHash
		}
		if err := l.addCertificateNames(&m); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Manager returns the manager of that name, or nil.
func (l *Logins) Manager(name string) *Manager { return l.managers[name] }

func (l *Logins) addCertificateNames(m *Manager) error {
	for _, name := range append([]string{m.Name}, m.CertificateNames...) {
		if other := l.byCertificate[name]; other != nil && other != m {
			return fmt.Errorf("managers %q and %q share the certificate name %q", other.Name, m.Name, name)
		}
		l.byCertificate[name] = m
	}
	return nil
}

// Password returns the manager that the name and the password prove, if it
// may reach the device. It blocks while others are hashed, until ctx ends, and
// returns ErrLoginsBusy when the password was not looked at.
// Attempts of one source that are alike share one hash while it is computed,
// and the charge for it: a manager that starts opens all its devices at once.
func (l *Logins) Password(ctx context.Context, a Attempt, password []byte) (*Manager, error) {
	m, v := l.verdicts(a)
	g := guesser{l.sources.Of(a.Source), l.cache.nameTag(a.Manager)}
	err := ErrPenalty
	if l.penalties.knock(g) {
		err = l.cache.once(ctx, l.cache.tag(g, v, password), func() error {
			return l.try(ctx, a, g, v, password)
		})
	}
	if err == ErrPenalty {
		l.stall(ctx)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Arrival returns who asks for a place to log in, without its Evict. Sources
// from which somebody has logged in lately keep their places before all others.
// Those from which somebody has lately failed to have one source's share
// together, however many they are: each costs a key exchange, and nobody knows
// better who guesses.
func (l *Logins) Arrival(from netip.Addr) Arrival {
	a := Arrival{Source: l.sources.Of(from), Exempt: l.sources.Exempts(from)}
	if l.known.Has(a.Source) {
		return a
	}
	a.Penalised = true
	if !a.Exempt && l.penalties.tried(a.Source) {
		a.Source = netip.Prefix{}
	}
	return a
}

// Failed notes that a connection from there has ended without a login, by its
// own doing.
func (l *Logins) Failed(from netip.Addr) { l.penalties.begin(l.sources.Of(from)) }

// LoggedIn notes that somebody has logged in from there, by whatever means.
func (l *Logins) LoggedIn(source netip.Addr) { l.known.Note(l.sources.Of(source)) }

// stall takes as long as a wrong password: a guesser who is not listened to any
// more should not notice, and go on in vain.
func (l *Logins) stall(ctx context.Context) {
	over := time.NewTimer(time.Duration(l.took.Load()))
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
}

// verdicts are what a password comes to, right or wrong, by this hash.
type verdicts struct {
	hash         string
	right, wrong error
}

// verdicts returns the manager of that name, if there is one, and what becomes
// of it. Who cannot come in however right the password is is hashed all the
// same: a fast refusal would tell too much.
func (l *Logins) verdicts(a Attempt) (*Manager, verdicts) {
	m, barred := l.find(a)
	if m != nil && m.PasswordHash != "" {
		return m, verdicts{m.PasswordHash, barred, ErrWrongPassword}
	}
	if barred == nil {
		barred = ErrWrongPassword // it has none
	}
	return m, verdicts{l.decoy, barred, barred}
}

// try hashes the password, at the charge of the source unless it may come in.
func (l *Logins) try(ctx context.Context, a Attempt, g guesser, v verdicts, password []byte) error {
	if !l.penalties.take(g) {
		return ErrPenalty
	}
	err := l.compare(ctx, a, g.source, v, password)
	if err == nil || err == ErrLoginsBusy {
		l.penalties.refund(g)
	}
	return err
}

// Key returns the manager that the key would prove, if it may reach the
// device. It is asked before the signature is checked, and often only to ask:
// a key that is not known is no failed login.
func (l *Logins) Key(a Attempt, key ssh.PublicKey) (*Manager, error) {
	m, reason := l.find(a)
	if reason != nil {
		return nil, reason
	}
	if !m.hasKey(key) {
		return nil, ErrUnknownKey
	}
	return m, nil
}

// Certificate returns the manager whose name, or one of whose certificate
// names, a.Manager is, if it may reach the device. The caller has validated the
// certificate and found the name with CertNames. There is nothing to guess, so
// nothing is charged to the source.
func (l *Logins) Certificate(a Attempt) (*Manager, error) {
	m, reason := admit(l.byCertificate[a.Manager], a)
	if reason != nil {
		return nil, reason
	}
	return m, nil
}

// find returns the manager of that name, if there is one, and why it may not
// come in however well it proves itself.
func (l *Logins) find(a Attempt) (*Manager, error) { return admit(l.managers[a.Manager], a) }

func admit(m *Manager, a Attempt) (*Manager, error) {
	switch {
	case m == nil:
		return nil, ErrUnknownManager
	case a.Device == "" && len(m.Devices) > 0, m.MayReach(a.Device):
		return m, nil
	}
	return m, ErrDeviceDenied
}

// compare hashes the password when it is its turn.
func (l *Logins) compare(ctx context.Context, a Attempt, source netip.Prefix, v verdicts, password []byte) error {
	if v.hash == "" {
		return v.wrong
	}
	begin := time.Now()
	if a.Working != nil {
		a.Working(true)
		defer a.Working(false)
	}
	tried := l.penalties.begin(source)
	if err := l.queue.enter(ctx, l.known.Has(source), tried); err != nil {
		return err
	}
	defer l.queue.leave()
	err := v.right
	if l.hash([]byte(v.hash), password) != nil {
		err = v.wrong
	}
	if err == nil {
		l.penalties.succeed(source)
		return nil
	}
	for _, hash := range padding(v.hash, l.decoy) {
		_ = l.hash([]byte(hash), password)
	}
	l.took.Store(int64(time.Since(begin)))
	return err
}

// padding returns the hashes that cost as much as the decoy costs more than
// the hash, so that all failures take the same time. One of cost c takes 2^c
// steps: those of c, c+1, ... up to below the decoy's make up the difference.
func padding(hash, decoy string) []string {
	from, err := bcrypt.Cost([]byte(hash))
	to, err2 := bcrypt.Cost([]byte(decoy))
	if err != nil || err2 != nil {
		return nil // not after NewLogins
	}
	var more []string
	for cost := from; cost < to; cost++ {
		more = append(more, strings.Replace(decoy, fmt.Sprintf("$%02d$", to), fmt.Sprintf("$%02d$", cost), 1))
	}
	return more
}
