package devicesim

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"io"
	"slices"
	"strconv"

	"callhome-gateway/internal/netconf"
)

// reply is what an operation answers.
type reply struct {
	// content goes into the rpc-reply, or else what stream yields; ok where
	// both are nil.
	content []byte
	stream  io.Reader
	// flaw is what is wrong with the reply, if the operation asked for that.
	flaw Flaw
	// then, if not nil, is called when the reply has been sent.
	then func()
}

// operation is one that devices may know.
type operation struct {
	do     func(*session, *node) (reply, *netconf.RPCError)
	params []string // that it takes, in the operation's namespace
	// offered reports whether devices with these features know it. Without it
	// all do.
	offered func(*Features) bool
}

func withCandidate(f *Features) bool    { return f.Candidate }
func withValidate(f *Features) bool     { return f.Validate }
func withNotification(f *Features) bool { return !f.NoNotification }
func withCancel(f *Features) bool       { return f.ConfirmedCommit == "1.1" }

var operations = map[xml.Name]operation{
	base("get"):        {do: (*session).get, params: []string{"filter"}},
	base("get-config"): {do: (*session).getConfig, params: []string{"source", "filter"}},
	base("edit-config"): {do: (*session).editConfig,
		params: []string{"target", "default-operation", "test-option", "error-option", "config"}},
	base("copy-config"):   {do: (*session).copyConfig, params: []string{"target", "source"}},
	base("delete-config"): {do: (*session).deleteConfig, params: []string{"target"}},
	base("lock"):          {do: (*session).lock, params: []string{"target"}},
	base("unlock"):        {do: (*session).unlock, params: []string{"target"}},
	base("close-session"): {do: (*session).closeSession},
	base("kill-session"):  {do: (*session).killSession, params: []string{"session-id"}},
	base("validate"):      {do: (*session).validate, params: []string{"source"}, offered: withValidate},
	base("commit"): {do: (*session).commit, offered: withCandidate,
		params: []string{"confirmed", "confirm-timeout", "persist", "persist-id"}},
	base("discard-changes"): {do: (*session).discardChanges, offered: withCandidate},
	base("cancel-commit"):   {do: (*session).cancelCommit, params: []string{"persist-id"}, offered: withCancel},
	notificationName("create-subscription"): {do: (*session).subscribe, offered: withNotification,
		params: []string{"stream", "filter", "startTime", "stopTime"}},
	simName("blob"):   {do: (*session).blob, params: []string{"size", "elements"}},
	simName("sleep"):  {do: (*session).sleep, params: []string{"milliseconds"}},
	simName("echo"):   {do: (*session).echo},
	simName("flawed"): {do: (*session).flawed, params: []string{"flaw"}},
	simName("notify"): {do: (*session).emit, params: []string{"stream", "event"}},
}

// perform carries out the one operation of an rpc.
func (s *session) perform(head netconf.Head, rpc *node) (reply, *netconf.RPCError) {
	if !head.HasID {
		return reply{}, errMissingMessageID()
	}
	if len(rpc.kids) == 0 {
		return reply{}, errNotSupported("the rpc names no operation")
	}
	if len(rpc.kids) > 1 {
		return reply{}, errUnknownElement(rpc.kids[1].name.Local)
	}
	op := rpc.kids[0]
	known, ok := operations[op.name]
	if !ok || known.offered != nil && !known.offered(&s.device.o.Features) {
		return reply{}, errUnknownOperation(op)
	}
	if op.name != simName("echo") {
		for _, k := range op.kids {
			if k.name.Space != op.name.Space || !slices.Contains(known.params, k.name.Local) {
				return reply{}, errUnknownElement(k.name.Local)
			}
		}
	}
	if fault := s.interleaves(op.name); fault != nil {
		return reply{}, fault
	}
	return known.do(s, op)
}

// interleaves refuses what a session that has a subscription cannot do without
// :interleave. A second subscription has an error of its own.
func (s *session) interleaves(op xml.Name) *netconf.RPCError {
	if !s.device.o.NoInterleave || s.subscription.Load() == nil ||
		op == base("close-session") || op == notificationName("create-subscription") {
		return nil
	}
	return fault("protocol", "resource-denied", "this session has a subscription, and the device cannot interleave")
}

func (s *session) get(op *node) (reply, *netconf.RPCError) {
	config := s.device.data.get(running)
	all := branch(base("data"), slices.Concat(config.kids, s.device.state())...)
	return filteredReply(all, op)
}

func (s *session) getConfig(op *node) (reply, *netconf.RPCError) {
	source, fault := s.device.datastore(op, "source")
	if fault != nil {
		return reply{}, fault
	}
	return filteredReply(branch(base("data"), s.device.data.get(source).kids...), op)
}

func filteredReply(all, op *node) (reply, *netconf.RPCError) {
	filter, fault := subtreeFilter(op)
	if fault != nil {
		return reply{}, fault
	}
	if filter != nil && filter.child(simName("blob")) != nil {
		return blobData(filter.child(simName("blob")))
	}
	return content(filtered(all, filter)), nil
}

// subtreeFilter returns the filter of an operation, or nil if it has none.
func subtreeFilter(op *node) (*node, *netconf.RPCError) {
	filter := op.param("filter")
	if filter == nil {
		return nil, nil
	}
	kind := filter.attribute(base("type"))
	if kind == "" {
		kind = filter.attribute(xml.Name{Local: "type"}) // as nearly everyone sends it
	}
	if kind != "" && kind != "subtree" {
		return nil, errBadAttribute("type", "filter")
	}
	return filter, nil
}

// content makes the reply that consists of an element.
func content(n *node) reply {
	var b bytes.Buffer
	n.write(&b, "")
	return reply{content: b.Bytes()}
}

func (s *session) editConfig(op *node) (reply, *netconf.RPCError) {
	target, fault := s.device.writable(op)
	if fault != nil {
		return reply{}, fault
	}
	config := op.param("config")
	if config == nil {
		return reply{}, errMissingElement("config")
	}
	if op.param("test-option") != nil && !s.device.o.Validate { // RFC 6241 section 8.6.4.2
		return reply{}, errUnknownElement("test-option")
	}
	initial, testOnly, fault := editOptions(op)
	if fault != nil {
		return reply{}, fault
	}
	return reply{}, s.device.data.change(s.id, target, func(old *node) (*node, *netconf.RPCError) {
		edited, fault := editConfig(old, config, initial)
		if fault == nil && testOnly {
			return old, nil
		}
		return edited, fault
	})
}

// editOptions reads the parameters of edit-config that say how.
func editOptions(op *node) (initial edit, testOnly bool, fault *netconf.RPCError) {
	initial = edit(cmp.Or(op.paramText("default-operation"), string(editMerge)))
	if initial != editMerge && initial != editReplace && initial != editNone {
		return "", false, errBadElement("default-operation")
	}
	switch op.paramText("test-option") {
	case "", "test-then-set", "set":
	case "test-only":
		testOnly = true
	default:
		return "", false, errBadElement("test-option")
	}
	switch op.paramText("error-option") {
	case "", "stop-on-error", "rollback-on-error": // every edit is all or nothing
	case "continue-on-error":
		return "", false, errNotSupported("continue-on-error is not supported")
	default:
		return "", false, errBadElement("error-option")
	}
	return initial, testOnly, nil
}

func (s *session) copyConfig(op *node) (reply, *netconf.RPCError) {
	target, fault := s.device.writable(op)
	if fault != nil {
		return reply{}, fault
	}
	source := op.param("source")
	if source != nil && source.param("config") != nil {
		given := source.param("config").plain()
		return reply{}, s.device.data.change(s.id, target, func(*node) (*node, *netconf.RPCError) {
			return branch(xml.Name{}, given.kids...), nil
		})
	}
	name, fault := s.device.datastore(op, "source")
	if fault != nil {
		return reply{}, fault
	}
	if name == target {
		return reply{}, errInvalidValue("source and target are the same")
	}
	config := s.device.data.get(name)
	return reply{}, s.device.data.change(s.id, target, func(*node) (*node, *netconf.RPCError) {
		return config, nil
	})
}

// deleteConfig empties startup: neither running nor candidate can be deleted
// (RFC 6241 section 7.4).
func (s *session) deleteConfig(op *node) (reply, *netconf.RPCError) {
	target, fault := s.device.datastore(op, "target")
	if fault != nil {
		return reply{}, fault
	}
	if target != startup {
		return reply{}, errNotSupported("the " + target + " datastore cannot be deleted")
	}
	return reply{}, s.device.data.change(s.id, target, func(*node) (*node, *netconf.RPCError) {
		return branch(xml.Name{}), nil
	})
}

func (s *session) lock(op *node) (reply, *netconf.RPCError) {
	target, fault := s.device.datastore(op, "target")
	if fault != nil {
		return reply{}, fault
	}
	return reply{}, s.device.data.lock(s.id, target)
}

func (s *session) unlock(op *node) (reply, *netconf.RPCError) {
	target, fault := s.device.datastore(op, "target")
	if fault != nil {
		return reply{}, fault
	}
	return reply{}, s.device.data.unlock(s.id, target)
}

// closeSession releases what the session holds before it says ok.
func (s *session) closeSession(*node) (reply, *netconf.RPCError) {
	s.device.remove(s)
	return reply{then: s.finish}, nil
}

// killSession ends any other session of the device, on whichever connection:
// real devices kill the first one of a call-home connection, too.
func (s *session) killSession(op *node) (reply, *netconf.RPCError) {
	if op.param("session-id") == nil {
		return reply{}, errMissingElement("session-id")
	}
	id, err := strconv.ParseUint(op.paramText("session-id"), 10, 32)
	if err != nil {
		return reply{}, errBadElement("session-id")
	}
	if uint32(id) == s.id {
		return reply{}, errInvalidValue("a session cannot kill itself; use close-session")
	}
	if !s.device.kill(uint32(id)) {
		return reply{}, errInvalidValue("there is no such session")
	}
	return reply{}, nil
}

// datastore returns the datastore that a parameter names.
func (d *Device) datastore(op *node, param string) (string, *netconf.RPCError) {
	p := op.param(param)
	if p == nil || len(p.kids) == 0 {
		return "", errMissingElement(param)
	}
	name := p.kids[0].name
	if name.Space == netconf.NamespaceBase && d.o.has(name.Local) {
		return name.Local, nil
	}
	return "", errUnknownElement(name.Local)
}

// writable returns the target datastore of an edit.
func (d *Device) writable(op *node) (string, *netconf.RPCError) {
	name, fault := d.datastore(op, "target")
	if fault == nil && !d.o.writable(name) {
		fault = errNotSupported("running cannot be written on this device: edit candidate, then commit")
	}
	return name, fault
}
