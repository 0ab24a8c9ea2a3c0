package devicesim

import (
	"fmt"

	"callhome-gateway/internal/netconf"
)

// The errors of RFC 6241 appendix A, as this device gives them.

func fault(kind, tag, message string) *netconf.RPCError {
	return &netconf.RPCError{Type: kind, Tag: tag, Message: message}
}

func errNotSupported(message string) *netconf.RPCError {
	return fault("protocol", "operation-not-supported", message)
}

func errUnknownOperation(op *node) *netconf.RPCError {
	return errNotSupported("this device does not know the operation " + op.name.Local)
}

func errInvalidValue(message string) *netconf.RPCError {
	return fault("protocol", "invalid-value", message)
}

func errFailed(message string) *netconf.RPCError {
	return fault("protocol", "operation-failed", message)
}

func errInUse(message string) *netconf.RPCError { return fault("protocol", "in-use", message) }

func errLockDenied(holder uint32, message string) *netconf.RPCError {
	f := fault("protocol", "lock-denied", message)
	f.Info = fmt.Sprintf("<session-id>%d</session-id>", holder)
	return f
}

func errMissingElement(name string) *netconf.RPCError {
	return elementFault("missing-element", name, "an element is missing")
}

func errUnknownElement(name string) *netconf.RPCError {
	return elementFault("unknown-element", name, "an element is not expected here")
}

func errBadElement(name string) *netconf.RPCError {
	return elementFault("bad-element", name, "the value of an element is not valid")
}

// elementFault names the element in the error-info; name must be an XML name.
func elementFault(tag, name, message string) *netconf.RPCError {
	f := fault("protocol", tag, message+": "+name)
	f.Info = "<bad-element>" + name + "</bad-element>"
	return f
}

func errMissingMessageID() *netconf.RPCError {
	f := attributeFault("missing-attribute", "message-id", "rpc")
	f.Type = "rpc"
	return f
}

func errBadAttribute(attribute, element string) *netconf.RPCError {
	return attributeFault("bad-attribute", attribute, element)
}

func attributeFault(tag, attribute, element string) *netconf.RPCError {
	f := fault("protocol", tag, fmt.Sprintf("attribute %s of %s: %s", attribute, element, tag))
	f.Info = fmt.Sprintf("<bad-attribute>%s</bad-attribute><bad-element>%s</bad-element>", attribute, element)
	return f
}

func errDataMissing(n *node) *netconf.RPCError {
	return fault("application", "data-missing", n.name.Local+" does not exist")
}

func errDataExists(n *node) *netconf.RPCError {
	return fault("application", "data-exists", n.name.Local+" exists already")
}

func errTooBig() *netconf.RPCError {
	return fault("application", "resource-denied", "the configuration would become too large")
}
