package devicesim

import (
	"strconv"
	"time"

	"callhome-gateway/internal/netconf"
)

func (s *session) commit(op *node) (reply, *netconf.RPCError) {
	request, fault := s.commitRequest(op)
	if fault != nil {
		return reply{}, fault
	}
	return reply{}, s.device.data.commit(s.id, request)
}

// commitRequest reads the parameters of commit.
func (s *session) commitRequest(op *node) (commitRequest, *netconf.RPCError) {
	for _, k := range op.kids {
		if !s.confirms(k.name.Local) {
			return commitRequest{}, errUnknownElement(k.name.Local)
		}
	}
	r := commitRequest{
		confirmed: op.param("confirmed") != nil, timeout: defaultConfirm,
		persist: op.paramText("persist"), persistID: op.paramText("persist-id"),
		anySession: s.device.o.ConfirmedCommit != "1.1",
	}
	if timeout := op.param("confirm-timeout"); timeout != nil {
		seconds, err := strconv.ParseUint(timeout.text, 10, 31)
		if err != nil || seconds == 0 {
			return r, errBadElement("confirm-timeout")
		}
		r.timeout = time.Duration(seconds) * time.Second
	}
	if !r.confirmed && (op.param("confirm-timeout") != nil || op.param("persist") != nil) {
		return r, errMissingElement("confirmed")
	}
	return r, nil
}

// confirms reports whether this session knows a parameter of commit.
func (s *session) confirms(param string) bool {
	switch param {
	case "confirmed", "confirm-timeout":
		return s.device.o.ConfirmedCommit != ""
	default: // persist and persist-id
		return s.cancels()
	}
}

// cancels reports whether this session knows persist and cancel-commit.
func (s *session) cancels() bool {
	return s.device.o.ConfirmedCommit == "1.1" && s.framing == netconf.Chunked
}

func (s *session) cancelCommit(op *node) (reply, *netconf.RPCError) {
	if !s.cancels() {
		return reply{}, errUnknownOperation(op)
	}
	return reply{}, s.device.data.cancel(s.id, op.paramText("persist-id"))
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
