package callhome

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callhome-gateway/auth"
)

// identifyCertificate is identify for a device that calls over TLS. What was
// revoked is rejected, whoever it is; that it is pinned or approved does not help.
func (s *rules) identifyCertificate(b *binding, p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	b, users, r := s.identifyKnown(b, p, proved)
	for _, anchors := range s.anchorsOf(p) {
		if err := anchors.Revoked(proved.certificates); err != nil {
			return b, nil, b.faulty(proved, err)
		}
	}
	return b, users, r
}

// anchorsOf returns all anchors there are, those of a user that only the
// user-select hook knows included.
func (s *rules) anchorsOf(p *plan) []*auth.Anchors {
	all := s.anchors
	for _, user := range p.users {
		if user.TLS.Anchors != nil && !slices.Contains(all, user.TLS.Anchors) {
			all = append(all[:len(all):len(all)], user.TLS.Anchors)
		}
	}
	return all
}

// identifyKnown goes through the ways in which a certificate may be known, the
// surest first. Pins and approvals are of the certificate or its key, whatever
// its dates and issuer are: devices with a clock of 1970 make their own.
func (s *rules) identifyKnown(b *binding, p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	if e := s.entryPinningOneOf(b.identity, auth.CertificateKeyIdentity(proved.certificates[0])); e != nil {
		b.name, b.entry = e.Name, e
		return b, s.usersOf(e, p), outOfPlace(e, p)
	}
	if device, ok := s.opts.Memory.Approved(b.identity); ok {
		return s.identifyApproved(b, device, p)
	}
	return s.identifyCertified(b, p, proved)
}

func (s *rules) entryPinningOneOf(ids ...auth.Identity) *Entry {
	for _, id := range ids {
		if e := s.byPin[pinKey(id)]; e != nil {
			return e
		}
	}
	return nil
}

// identifyCertified handles an identity that is neither pinned nor approved: a
// CA may answer for it, over TLS and over SSH.
func (s *rules) identifyCertified(b *binding, p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	if e := s.entryExpecting(p, proved); e != nil {
		return s.identifyExpected(b, e, p, proved)
	}
	if p.entry != nil {
		b.name, b.entry = p.entry.Name, p.entry
		if r := s.unexpected(b, p, proved); r != nil {
			return b, nil, r
		}
	}
	return s.identifyIssued(b, p, proved)
}

// entryExpecting returns the entry without pins that expects one of the
// certificate's names: of several the one at the address, or else the first.
func (s *rules) entryExpecting(p *plan, proved proof) *Entry {
	var first *Entry
	for _, name := range proved.names() {
		e := s.expecting[expectation{proved.transport(), name}]
		switch {
		case e == nil || len(e.Pins) > 0:
		case e == p.entry:
			return e
		case first == nil:
			first = e
		}
	}
	return first
}

// identifyExpected handles a certificate that has a name which an entry
// expects. One that nobody answers for is never listed as pending: it claims to
// be a device that must have a better one.
func (s *rules) identifyExpected(b *binding, e *Entry, p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	b.name, b.entry = e.Name, e
	given := s.usersOf(e, p)
	if len(usable(given, p.transport)) == 0 {
		return b, given, nil // usable says so
	}
	vouchers, err := vouching(given, proved)
	if err != nil {
		return b, nil, b.faulty(proved, err)
	}
	b.ca = vouchers[0].ca
	return b, usersIn(vouchers), outOfPlace(e, p)
}

// unexpected rejects a device that is known by its entry's address and some
// other way, but does not show what it is known by.
func (s *rules) unexpected(b *binding, p *plan, proved proof) *rejection {
	e := p.entry
	expected := e.expects(p.transport)
	if len(e.Pins) > 0 || len(expected) == 0 {
		return s.changedKey(e, b.identity)
	}
	if _, err := vouching(s.usersOf(e, p), proved); err != nil {
		return b.faulty(proved, err)
	}
	return reject(RejectedWrongName, "%s shows a certificate for %s, but its session expects %s",
		e.Name, proved.fewNames(), strings.Join(expected, ", "))
}

// identifyIssued handles what no entry expects. The CA of a user entry may
// answer for all its devices, and their names.
func (s *rules) identifyIssued(b *binding, p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	if !proved.certified() {
		return s.identifyUnknown(b, p)
	}
	users := s.usersOf(b.entry, p)
	vouchers, err := vouching(those(users, proved.namedBy), proved)
	if err == nil {
		return s.identifyNamed(b, vouchers, p, proved)
	}
	r := b.faulty(proved, err)
	if r.reason == RejectedExpired || r.reason == RejectedRevoked {
		return b, nil, r
	}
	if *p.listener.Trust == auth.TrustPinned {
		if r := b.missing(users, proved); r != nil {
			return b, nil, r
		}
	}
	b, users, r = s.identifyUnknown(b, p)
	if r != nil && r.reason == RejectedPending {
		r.detail += objection(s.usersOf(b.entry, p), proved)
	}
	return b, users, r
}

// objection says what the CA of a user entry finds wrong with a certificate
// that is not simply another's: who has to approve it may expect it to pass.
func objection(users []*auth.User, proved proof) string {
	for _, user := range users {
		_, err := vouching([]*auth.User{user}, proved)
		switch {
		case err == nil, err == errNoAnchors, errors.Is(err, auth.ErrUnknownCA), errors.Is(err, auth.ErrSelfSigned):
		default:
			return fmt.Sprintf(" (the CA of user entry %s does not vouch for it: %v)", user.Name, err)
		}
	}
	return ""
}

// missing says what a certificate lacks that would have to be pinned, or issued
// under a CA and expected; nil where there is no CA.
func (b *binding) missing(users []*auth.User, proved proof) *rejection {
	_, err := vouching(users, proved)
	switch {
	case err == nil:
		return reject(RejectedWrongName, "%s is valid, but no session entry expects one of its names (%s), and trust is \"pinned\"", proved, proved.fewNames())
	case err == errNoAnchors:
		return nil
	}
	return b.faulty(proved, err)
}

// identifyNamed names a device by its certificate, which the users' CAs answer
// for. The name may not be one that somebody else has.
func (s *rules) identifyNamed(b *binding, vouchers []voucher, p *plan, proved proof) (*binding, []*auth.User, *rejection) {
	name, vouchers, err := deviceName(vouchers, proved)
	if err != nil {
		return b, nil, reject(RejectedWrongName, "the certificate is valid, but names no device: %v", err)
	}
	own := p.entry != nil && p.entry.Name == name
	b.name, b.entry, b.voucher = name, nil, vouchers[0].ca
	if own {
		b.entry = p.entry
	}
	if r := s.nameTaken(b, vouchers, proved); r != nil {
		return b, nil, r
	}
	b.ca = b.voucher
	return b, usersIn(vouchers), nil
}

// nameTaken rejects a device whose certificate gives it a name that belongs to
// another: to a session, to a device that was approved, or to one whose
// certificate another CA has issued. CAs that one user lists together stand in
// for each other, so that a new one may take the place of an old one.
func (s *rules) nameTaken(b *binding, vouchers []voucher, proved proof) *rejection {
	if b.entry == nil && s.byName[b.name] != nil {
		return reject(RejectedKeyChanged, "a certificate that session %s does not expect names its device so: give the session %s, if it is the same device", b.name, proved.namesOption())
	}
	for _, device := range s.opts.Memory.Named(b.name) {
		if device.Identity != b.identity {
			return reject(RejectedKeyChanged, "%s names the device %s, which is known by %s: if it is the same device, forget it", proved, b.name, device.Identity)
		}
	}
	first := s.opts.Memory.Voucher(b.name)
	if first.IsZero() || slices.ContainsFunc(vouchers, func(v voucher) bool { return v.standsInFor(first) }) {
		return nil
	}
	return reject(RejectedKeyChanged, "%s names the device %s, but another CA than that of user entry %s gave a device this name before (the CA's key is %s): if the device is meant to have it, forget the other; if the CA was replaced, list both until its devices have called",
		proved, b.name, vouchers[0].user.Name, first)
}

// deviceName returns the name that the certificate gives to the first user that
// finds one. Users that found none before it are not those of the device: they
// may share a CA, and look into other fields.
func deviceName(vouchers []voucher, proved proof) (string, []voucher, error) {
	var none []string
	for i, v := range vouchers {
		name, err := proved.deviceName(v.user)
		if err == nil {
			return name, vouchers[i:], nil
		}
		none = append(none, fmt.Sprintf("user entry %s: %v", v.user.Name, err))
	}
	return "", nil, errors.New(strings.Join(none, "; "))
}

// voucher is a user whose CA answers for a certificate, and the key of that CA.
type voucher struct {
	user *auth.User
	ca   auth.Identity
}

// standsInFor reports whether the user has a CA with the key.
func (v voucher) standsInFor(ca auth.Identity) bool {
	return v.user.HostCA.Holds(ca) || v.user.TLS != nil && v.user.TLS.Anchors.Holds(ca)
}

func usersIn(vouchers []voucher) []*auth.User {
	users := make([]*auth.User, len(vouchers))
	for i, v := range vouchers {
		users[i] = v.user
	}
	return users
}

// vouching returns the users whose CAs answer for what the device shows, or
// what is wrong with that: what their own CA says rather than another.
func vouching(users []*auth.User, proved proof) ([]voucher, error) {
	var vouchers []voucher
	wrong, now := error(errNoAnchors), time.Now()
	for _, user := range users {
		ca, err := proved.voucher(user, now)
		switch {
		case err == nil:
			vouchers = append(vouchers, voucher{user, ca})
		case wrong == errNoAnchors, errors.Is(wrong, auth.ErrUnknownCA) && err != errNoAnchors:
			wrong = err
		}
	}
	if len(vouchers) == 0 {
		return nil, wrong
	}
	return vouchers, nil
}

// faults are the reasons for what can be wrong with a certificate.
var faults = []struct {
	err    error
	reason Reason
}{
	{auth.ErrRevoked, RejectedRevoked},
	{auth.ErrExpired, RejectedExpired},
	{auth.ErrSelfSigned, RejectedSelfSigned},
	{errBareKey, RejectedSelfSigned},
	{auth.ErrUnknownCA, RejectedWrongCA},
}

// faulty rejects the device for what is wrong with what it shows.
func (b *binding) faulty(proved proof, err error) *rejection {
	reason, who := RejectedUntrusted, b.name
	for _, fault := range faults {
		if errors.Is(err, fault.err) {
			reason = fault.reason
			break
		}
	}
	if who == "" {
		who = "an unknown device"
	}
	return reject(reason, "%s shows %s: %v", who, proved, err)
}

// EndRevoked ends the links of devices whose certificate has been revoked since
// they called, and returns how many. Call it when the revocation lists of any
// Anchors were replaced. It does not wait for the links' end.
func (s *Server) EndRevoked() int {
	ended, anchors := 0, s.rules.Load().anchors
	for _, link := range s.links.all() {
		if err := link.revoked(anchors); err != nil {
			link.end(err)
			ended++
		}
	}
	return ended
}

func (l *Link) revoked(anchors []*auth.Anchors) error {
	if l.shown == nil {
		return nil
	}
	for _, a := range anchors {
		if err := a.Revoked(l.shown.certificates); err != nil {
			return err
		}
	}
	return nil
}
