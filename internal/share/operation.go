package share

import (
	"strconv"
	"strings"
	"time"

	"callhome-gateway/internal/netconf"
)

const (
	spaceNotification = netconf.NamespaceNotification
	spaceBase         = netconf.NamespaceBase
	spaceNMDA         = netconf.NamespaceNMDA
)

// The datastores that are locked, edited and released.
const (
	running   = "running"
	candidate = "candidate"
	startup   = "startup"
)

// class says what sort of an operation it is, as far as sharing matters.
type class uint8

const (
	// unknown operations may do anything.
	unknown class = iota
	// harmless ones change nothing that managers have to share.
	harmless
	lock
	unlock
	edit // of a datastore: edit-config, edit-data, copy-config, delete-config
	commit
	cancelCommit
	discard
	subscribe
	killSession
	closeSession
	// bound ones leave something in the session that no other operation known
	// here takes away.
	bound
)

// classes are of operations in the namespaces that define them.
var classes = map[netconf.Name]class{
	{Space: spaceBase, Local: "get"}:             harmless,
	{Space: spaceBase, Local: "get-config"}:      harmless,
	{Space: spaceBase, Local: "validate"}:        harmless,
	{Space: spaceBase, Local: "lock"}:            lock,
	{Space: spaceBase, Local: "unlock"}:          unlock,
	{Space: spaceBase, Local: "edit-config"}:     edit,
	{Space: spaceBase, Local: "copy-config"}:     edit,
	{Space: spaceBase, Local: "delete-config"}:   edit,
	{Space: spaceNMDA, Local: "edit-data"}:       edit,
	{Space: spaceBase, Local: "commit"}:          commit,
	{Space: spaceBase, Local: "cancel-commit"}:   cancelCommit,
	{Space: spaceBase, Local: "discard-changes"}: discard,

	{Space: spaceNotification, Local: "create-subscription"}: subscribe,

	// The private candidate's own operation (draft-ietf-netconf-privcand).
	{Space: "urn:ietf:params:xml:ns:netconf:private-candidate:1.0", Local: "update"}:       bound,
	{Space: "urn:ietf:params:xml:ns:yang:ietf-netconf-private-candidate", Local: "update"}: bound,
}

// guarded are operations that must not reach the device unseen: their names
// count in any namespace, because not all devices look at it.
var guarded = map[string]class{
	"kill-session":  killSession,
	"close-session": closeSession,
	// Junos's other word for it.
	"request-end-session": closeSession,

	// RFC 5717
	"partial-lock":   bound,
	"partial-unlock": bound,
	// RFC 8639, RFC 8641
	"establish-subscription": bound,
	"modify-subscription":    bound,
	"delete-subscription":    bound,
	"kill-subscription":      bound,
	"resync-subscription":    bound,
	// ConfD
	"start-transaction":   bound,
	"prepare-transaction": bound,
	"commit-transaction":  bound,
	"abort-transaction":   bound,
	// Junos
	"open-configuration":   bound,
	"close-configuration":  bound,
	"lock-configuration":   bound,
	"unlock-configuration": bound,
}

// accounted are the names of the standard's operations that are kept account of.
// In another namespace than theirs they may do the same, where a device does not
// look at that, or anything else.
var accounted = func() map[string]bool {
	names := make(map[string]bool)
	for name, class := range classes {
		names[name.Local] = class != harmless
	}
	return names
}()

// classify returns the class of an operation. Those that start with "get-" are
// taken for reads in any namespace: all of the standard modules' are (get-data,
// get-schema, …), and the vendors' that we know.
func classify(name netconf.Name) class {
	if c, ok := guarded[name.Local]; ok {
		return c
	}
	if c, ok := classes[name]; ok {
		return c
	}
	if accounted[name.Local] {
		return bound
	}
	if strings.HasPrefix(name.Local, "get-") {
		return harmless
	}
	return unknown
}

// operation is what has to be known of an rpc to decide about it.
type operation struct {
	class
	name   netconf.Name
	target string // datastore
	source string // of copy-config: the name of its element
	victim uint32 // of kill-session; 0 where it is no plain number

	// Of commit and cancel-commit (RFC 6241 sections 8.3.4, 8.4).
	confirmed bool
	timeout   time.Duration
	persist   bool
	persistID bool

	// Of create-subscription (RFC 5277 section 2.1.1).
	events string // what is subscribed to; equal means identical
	timed  bool   // has a start or stop time
	stops  bool   // has a stop time
}

// effective reports whether the operation, where it succeeds, leaves anything
// that is kept account of.
func (o *operation) effective() bool {
	switch o.class {
	case lock, unlock, edit, commit, cancelCommit, discard, subscribe, bound:
		return true
	}
	return false
}

// understand returns the operation of an rpc, or why it goes no further. It
// may replace the Body by one that yields the same.
func understand(m *netconf.Message) (*operation, *netconf.RPCError) {
	h := m.Head
	o := &operation{class: classify(h.Op), name: h.Op, target: h.Target}
	switch {
	case !h.Echoable():
		return o, &netconf.RPCError{Type: "rpc", Tag: "too-big",
			Message: "the attributes of rpc, which a reply repeats, are longer than a shared session can carry: 3 KiB, with < > & and quotes escaped"}
	case h.Ambiguous:
		return o, refuse("operation-failed", "an rpc has one operation, with one of each of its arguments, in its own namespace and in one piece, and nothing of XInclude")
	}
	if o.class == killSession {
		o.victim = plainNumber(h.SessionID)
	}
	return o, o.readArguments(m)
}

// plainNumber returns a session-id as it is commonly written, else 0: peers
// differ on what they take for a number ("07", "+7").
func plainNumber(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0
	}
	return uint32(n)
}
