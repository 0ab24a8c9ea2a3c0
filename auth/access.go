package auth

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Access says which operations a manager may ask devices for. The zero value
// allows all.
type Access struct {
	// ReadOnly allows those alone that read and change nothing, of the device or
	// of other sessions. What is not known to be one of them changes something.
	ReadOnly bool
	// Operations, unless it is nil, are the only ones allowed, of those that
	// ReadOnly leaves. close-session is always allowed.
	Operations []Operation
}

// Operation is the name of an rpc's operation. Both parts count to the letter:
// names that differ in case or in their Unicode form are different names.
type Operation struct{ Namespace, Name string }

// Namespaces of the standard operations.
const (
	spaceBase         = "urn:ietf:params:xml:ns:netconf:base:1.0"
	spacePartialLock  = "urn:ietf:params:xml:ns:netconf:partial-lock:1.0"
	spaceNotification = "urn:ietf:params:xml:ns:netconf:notification:1.0"
	spaceYANG         = "urn:ietf:params:xml:ns:yang:1"
	spaceMonitoring   = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
	spaceNMDA         = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"
	spaceCompare      = "urn:ietf:params:xml:ns:yang:ietf-nmda-compare"
	spaceSubscribed   = "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"
	spacePush         = "urn:ietf:params:xml:ns:yang:ietf-yang-push"
)

// standard is an operation that an RFC defines for NETCONF itself.
type standard struct {
	space string
	reads bool // and does nothing else
}

// standards are those operations by their names, of which no two are equal.
var standards = map[string]standard{
	// RFC 6241
	"get":             {spaceBase, true},
	"get-config":      {spaceBase, true}, // not of a url: see Permits
	"edit-config":     {spaceBase, false},
	"copy-config":     {spaceBase, false}, // a url as its target leaves the device with the secrets
	"delete-config":   {spaceBase, false},
	"lock":            {spaceBase, false}, // keeps others from their work
	"unlock":          {spaceBase, false},
	"close-session":   {spaceBase, true},
	"kill-session":    {spaceBase, false},
	"commit":          {spaceBase, false},
	"cancel-commit":   {spaceBase, false},
	"discard-changes": {spaceBase, false}, // of the shared candidate: another's
	// It stores nothing, but it is work of those who edit: devices run a whole
	// commit's checks, and hold its lock meanwhile, fetch a url, or take a
	// configuration that comes with it.
	"validate": {spaceBase, false},
	// RFC 5717
	"partial-lock":   {spacePartialLock, false},
	"partial-unlock": {spacePartialLock, false},
	// RFC 5277
	"create-subscription": {spaceNotification, true},
	// RFC 6022
	"get-schema": {spaceMonitoring, true},
	// RFC 8526
	"get-data":  {spaceNMDA, true},
	"edit-data": {spaceNMDA, false},
	// RFC 9144
	"compare": {spaceCompare, true},
	// RFC 8639 and RFC 8641: a subscription is of the session that has established
	// it, and no other can modify, delete or resynchronise it. kill-subscription
	// ends those of others.
	"establish-subscription": {spaceSubscribed, true},
	"modify-subscription":    {spaceSubscribed, true},
	"delete-subscription":    {spaceSubscribed, true},
	"kill-subscription":      {spaceSubscribed, false},
	"resync-subscription":    {spacePush, true},
	// RFC 7950 section 7.15: any action of any module.
	"action": {spaceYANG, false},
}

// closeSession ends a manager's own session, which nobody is kept from.
var closeSession = Operation{spaceBase, "close-session"}

// Permits reports whether an rpc of that operation may go to a device. Of
// get-config, source is the name of the element that its source has; of other
// operations it does not matter. No Access at all permits nothing.
func (a *Access) Permits(op Operation, source string) bool {
	switch {
	case a == nil:
		return false
	case op == closeSession:
		return true
	case a.ReadOnly && !op.reads():
		return false
	case a.ReadOnly && op == Operation{spaceBase, "get-config"} && isURL(source):
		return false
	}
	return a.Operations == nil || slices.Contains(a.Operations, op)
}

// isURL reports whether a source is one that a device fetches from where the
// manager says. RFC 6241 section 8.8 has none for get-config, but devices that
// take one for copy-config may well take it there.
func isURL(source string) bool {
	return strings.EqualFold(source[strings.LastIndexByte(source, '}')+1:], "url")
}

// reads reports whether the operation is known to read and nothing else.
func (o Operation) reads() bool {
	s := standards[o.Name]
	return s.reads && s.space == o.Namespace
}

// String returns the operation as ParseOperation reads it.
func (o Operation) String() string {
	if s, ok := standards[o.Name]; ok && s.space == o.Namespace {
		return o.Name
	}
	return "{" + o.Namespace + "}" + o.Name
}

// What YANG allows as the name of an operation (RFC 7950 section 6.2), and a
// URI as that of a namespace.
var (
	identifierPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,254}$`)
	namespacePattern  = regexp.MustCompile(`^[!#-;=?-\[\]_a-z~]{1,1000}$`)
)

// Why text names no operation.
var (
	errNoStandard = errors.New("no standard NETCONF operation has this name; one of another module is written {namespace}name")
	errOperation  = errors.New("an operation is the name of a standard one, or {namespace}name")
)

// ParseOperation reads the name of an operation: of a standard one as it is
// ("get-config"), of any other with its namespace ("{urn:example:box}reset").
func ParseOperation(text string) (Operation, error) {
	qualified, ok := strings.CutPrefix(text, "{")
	if !ok {
		s, known := standards[text]
		if !known {
			return Operation{}, fmt.Errorf("%.80q: %w", text, errNoStandard)
		}
		return Operation{s.space, text}, nil
	}
	space, name, ok := strings.Cut(qualified, "}")
	if !ok || !namespacePattern.MatchString(space) || !identifierPattern.MatchString(name) {
		return Operation{}, fmt.Errorf("%.80q: %w", text, errOperation)
	}
	return Operation{space, name}, nil
}

// StandardOperations returns the names that ParseOperation knows without a
// namespace, sorted.
func StandardOperations() []string { return slices.Sorted(maps.Keys(standards)) }
