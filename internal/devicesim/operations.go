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
	// then, if not nil, is called when the reply has been sent.
	then func()
}

// operation is one that the device knows.
type operation struct {
	do     func(*session, *node) (reply, *netconf.RPCError)
	params []string // that it takes, in the operation's namespace
}

var editParams = []string{"target", "default-operation", "error-option", "config"}

// operations returns those that the device offers.
func operations(withCandidate bool) map[xml.Name]operation {
	ops := map[xml.Name]operation{
		base("get"):           {(*session).get, []string{"filter"}},
		base("get-config"):    {(*session).getConfig, []string{"source", "filter"}},
		base("edit-config"):   {(*session).editConfig, editParams},
		base("copy-config"):   {(*session).copyConfig, []string{"target", "source"}},
		base("delete-config"): {(*session).deleteConfig, []string{"target"}},
		base("lock"):          {(*session).lock, []string{"target"}},
		base("unlock"):        {(*session).unlock, []string{"target"}},
		base("close-session"): {(*session).closeSession, nil},
		base("kill-session"):  {(*session).killSession, []string{"session-id"}},
		notificationName("create-subscription"): {(*session).subscribe,
			[]string{"stream", "filter", "startTime", "stopTime"}},
		simName("blob"):  {(*session).blob, []string{"size"}},
		simName("sleep"): {(*session).sleep, []string{"milliseconds"}},
		simName("echo"):  {(*session).echo, nil},
	}
	if withCandidate { // and with it :validate
		ops[base("edit-config")] = operation{(*session).editConfig, append([]string{"test-option"}, editParams...)}
		ops[base("commit")] = operation{(*session).commit, nil}
		ops[base("discard-changes")] = operation{(*session).discardChanges, nil}
		ops[base("validate")] = operation{(*session).validate, []string{"source"}}
	}
	return ops
}

var operationTables = map[bool]map[xml.Name]operation{false: operations(false), true: operations(true)}

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
	known, ok := operationTables[s.device.o.Candidate][op.name]
	if !ok {
		return reply{}, errNotSupported("this device does not know the operation " + op.name.Local)
	}
	if op.name != simName("echo") {
		for _, k := range op.kids {
			if k.name.Space != op.name.Space || !slices.Contains(known.params, k.name.Local) {
				return reply{}, errUnknownElement(k.name.Local)
			}
		}
	}
	return known.do(s, op)
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

// deleteConfig always fails: there is nothing but running and candidate, and
// neither can be deleted (RFC 6241 section 7.4).
func (s *session) deleteConfig(op *node) (reply, *netconf.RPCError) {
	target, fault := s.device.datastore(op, "target")
	if fault != nil {
		return reply{}, fault
	}
	return reply{}, errNotSupported("the " + target + " datastore cannot be deleted")
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

func (s *session) commit(*node) (reply, *netconf.RPCError) {
	return reply{}, s.device.data.commit(s.id)
}

func (s *session) discardChanges(*node) (reply, *netconf.RPCError) {
	return reply{}, s.device.data.discard(s.id)
}

// validate finds nothing wrong with anything: the simulator has no model.
func (s *session) validate(op *node) (reply, *netconf.RPCError) {
	if source := op.param("source"); source != nil && source.param("config") != nil {
		return reply{}, nil
	}
	_, fault := s.device.datastore(op, "source")
	return reply{}, fault
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
	if name == base(running) || name == base(candidate) && d.o.Candidate {
		return name.Local, nil
	}
	return "", errUnknownElement(name.Local)
}

// writable returns the target datastore of an edit.
func (d *Device) writable(op *node) (string, *netconf.RPCError) {
	name, fault := d.datastore(op, "target")
	if fault == nil && name == running && d.o.Candidate {
		fault = errNotSupported("running cannot be written on this device: edit candidate, then commit")
	}
	return name, fault
}
