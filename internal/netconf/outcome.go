package netconf

import "bytes"

// Outcome is what an rpc-reply says of its rpc (RFC 6241 sections 4.3, 4.4).
type Outcome uint8

const (
	// Unclear is a reply with neither ok nor rpc-error, such as one with data.
	Unclear Outcome = iota
	// Succeeded is one that says ok, or nothing worse than a warning: with a
	// warning, devices leave ok out, or do not.
	Succeeded
	// Failed is one with an rpc-error that is no warning.
	Failed
)

func (o Outcome) String() string { return [...]string{"unclear", "succeeded", "failed"}[o] }

// depthResult is how deep ok and rpc-error may stand: Junos wraps them in an
// element of its own, such as commit-results.
const depthResult = 3

// outcomeTracker gathers the Outcome while the elements of a reply pass.
type outcomeTracker struct {
	ok, warned, failed bool
	inError            int  // the depth of the rpc-error that is open, or 0
	inSeverity         bool // of that one
	severity           []byte
}

func (o *outcomeTracker) start(depth int, space, local []byte) {
	switch base := string(space) == NamespaceBase; {
	case o.inError > 0:
		o.inSeverity = base && depth == o.inError+1 && string(local) == "error-severity"
	case !base || depth > depthResult:
	case string(local) == "ok":
		o.ok = true
	case string(local) == "rpc-error":
		o.inError, o.severity = depth, o.severity[:0]
	}
}

// text is told of all text, in pieces of any size.
func (o *outcomeTracker) text(p []byte) {
	if o.inSeverity {
		o.severity = append(o.severity, p[:min(len(p), maxArgument-len(o.severity))]...)
	}
}

func (o *outcomeTracker) end(depth int) {
	switch {
	case o.inError == 0:
	case depth == o.inError+1:
		o.inSeverity = false
	case depth == o.inError:
		warning := string(bytes.TrimSpace(o.severity)) == "warning"
		o.warned, o.failed = o.warned || warning, o.failed || !warning
		o.inError = 0
	}
}

func (o *outcomeTracker) outcome() Outcome {
	switch {
	case o.failed:
		return Failed
	case o.ok || o.warned:
		return Succeeded
	}
	return Unclear
}
