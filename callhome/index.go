package callhome

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"callhome-gateway/auth"
)

// entryIndex finds the session entries by what is known of a call, however many
// there are. New fills it, and it does not change any more.
type entryIndex struct {
	byName     map[string]*Entry
	byPin      map[auth.Identity]*Entry // see pinKey
	byDeviceID map[string]*Entry
	// expecting are those that expect a certificate with a name.
	expecting map[expectation]*Entry
	byNetwork map[netip.Prefix][]*Entry
	// lengths are those of the networks, the longest first.
	lengths []int
	// anywhere are the entries without an address, and all is every one.
	anywhere, all []*Entry
}

// expectation is a name in a certificate that a device shows over a transport,
// as auth.NormalizeCertificateName writes it.
type expectation struct {
	transport Transport
	name      string
}

func newEntryIndex() entryIndex {
	return entryIndex{
		byName:     make(map[string]*Entry),
		byPin:      make(map[auth.Identity]*Entry),
		byDeviceID: make(map[string]*Entry),
		expecting:  make(map[expectation]*Entry),
		byNetwork:  make(map[netip.Prefix][]*Entry),
	}
}

// add makes an entry known by its name and by where it is expected.
func (x *entryIndex) add(e *Entry) {
	x.byName[e.Name] = e
	x.all = append(x.all, e)
	if !e.Address.IsValid() {
		x.anywhere = append(x.anywhere, e)
		return
	}
	network := e.Address.Masked()
	x.byNetwork[network] = append(x.byNetwork[network], e)
	longestFirst := func(a, b int) int { return cmp.Compare(b, a) }
	if i, known := slices.BinarySearchFunc(x.lengths, network.Bits(), longestFirst); !known {
		x.lengths = slices.Insert(x.lengths, i, network.Bits())
	}
}

// at returns the entries that are for such a call, of the narrowest network
// with the address that has any.
func (x *entryIndex) at(remote netip.Addr, t Transport, l *Listener) []*Entry {
	for _, length := range x.lengths {
		network, err := remote.Prefix(length)
		if err != nil {
			continue // a length for IPv6, and an address of IPv4
		}
		var matching []*Entry
		for _, e := range x.byNetwork[network] {
			if e.takes(t) && e.listensOn(l) {
				matching = append(matching, e)
			}
		}
		if len(matching) > 0 {
			return matching
		}
	}
	return nil
}

// outlook is what stage A must know of all entries together, worked out once
// for a listener: it would take long to look at ten thousand at every call.
type outlook struct {
	// lastResort is the user to announce over SSH when there are no
	// callhome-users: that of the first entry without an address, or else one
	// that approvals may name. Which one is right shows at stage B.
	lastResort *auth.User
	// tlsUser says that there is a user for TLS besides the callhome-users.
	tlsUser bool
	// principals says that some entry without an address expects a host
	// certificate.
	principals bool
	// legacy says that some entry without an address allows old algorithms.
	legacy bool
}

// outlookOn returns the outlook of a listener.
func (s *rules) outlookOn(l *Listener) *outlook {
	o := &outlook{lastResort: s.firstNamedUser(SSH), tlsUser: s.firstNamedUser(TLS) != nil}
	for _, e := range s.all {
		o.tlsUser = o.tlsUser || e.User != nil && canUse(e.User, TLS)
	}
	var first *auth.User
	for _, e := range s.anywhere {
		if !e.listensOn(l) {
			continue
		}
		o.legacy = o.legacy || e.allowsLegacy()
		o.principals = o.principals || e.expectsPrincipal(l.Users)
		if first == nil && e.User != nil && canUse(e.User, SSH) {
			first = e.User
		}
	}
	if first != nil {
		o.lastResort = first
	}
	return o
}

func (s *rules) firstNamedUser(t Transport) *auth.User {
	for _, name := range slices.Sorted(maps.Keys(s.opts.NamedUsers)) {
		if user := s.opts.NamedUsers[name]; canUse(user, t) {
			return user
		}
	}
	return nil
}
