package auth

import (
	"errors"
	"net/netip"
	"time"
)

// Trust says what becomes of a device whose identity nobody has vouched for.
type Trust uint8

const (
	// TrustApprove rejects it and lists it as pending: an operator approves it.
	TrustApprove Trust = iota
	// TrustPinned rejects it.
	TrustPinned
	// TrustFirstUse accepts and pins it. RFC 8071 C5 and C7 forbid that.
	TrustFirstUse
)

func (t Trust) String() string { return [...]string{"approve", "pinned", "first-use"}[t] }

// Device is an identity that was approved, or pinned on first use, and the
// name that it has since then.
type Device struct {
	Name     string
	Identity Identity
	// User names the user entry to log in with; empty means the callhome-users.
	User string
	// FirstUse says that nobody approved it: it was pinned when it first called.
	FirstUse bool
	// Since is when it was approved or pinned.
	Since time.Time
}

// Pending is an unknown identity that called and waits for approval.
type Pending struct {
	Identity Identity
	// Address is where it last called from.
	Address netip.Addr
	// Name is the session entry's name where the address tells which entry it
	// wants to be; else what it calls itself, or the user-select hook, if nobody
	// had that name. Nothing proves either. Otherwise empty.
	Name string
	// Description is what the certificate of a device that called over TLS says
	// of itself, quoted and bounded; empty for others.
	Description string
	First, Last time.Time
	Calls       int
}

// What an operator's or a device's wish fails on. They are wrapped with the
// names and fingerprints concerned, and what to do.
var (
	// ErrNameTaken is returned when a name already belongs to another identity.
	ErrNameTaken = errors.New("the name belongs to another device")
	// ErrBadName is returned for a name that ValidName refuses, or for none.
	ErrBadName = errors.New("not a device name")
	// ErrUnknownDevice is returned when nothing is known by that name or fingerprint.
	ErrUnknownDevice = errors.New("no such device")
	// ErrUnknownEntry is returned when no user or session entry has that name.
	ErrUnknownEntry = errors.New("no such entry")
	// ErrAmbiguous is returned when a part of a fingerprint, or a name, fits several.
	ErrAmbiguous = errors.New("several devices match")
)

// Memory is what must be remembered about identities for longer than the
// process lives. Its methods may be called concurrently and may block on a
// disk for some milliseconds, never on the network.
type Memory interface {
	// Approved returns the device that has this identity. Of a host key that was
	// approved before its device has called, only the fingerprint may be known: the
	// Identity of the Device has no type then.
	Approved(Identity) (Device, bool)
	// Named returns the identities that are approved under this name: one, or
	// more during a key rollover, or none.
	Named(name string) []Device
	// Pin remembers a device on first use. It returns ErrNameTaken when the
	// name has an identity already.
	Pin(Device) error
	// NotePending counts a call of an unknown identity. It may drop older
	// entries to stay bounded, and does not wait for a disk.
	NotePending(Pending)
	// Voucher returns the key of the CA that NoteVoucher was last told for the
	// name, or the zero Identity.
	Voucher(name string) Identity
	// NoteVoucher remembers, until the device is forgotten, which CA has vouched
	// for a device that only its certificate names. It does not wait for a disk.
	NoteVoucher(name string, ca Identity)
}
