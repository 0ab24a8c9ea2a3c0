package share

import (
	"io"

	"callhome-gateway/internal/netconf"
)

// listener is a Body that listens to what it says while it is read. What is not
// well-formed says nothing.
type listener struct {
	body    io.Reader
	checker *netconf.Checker
	// heard is told, if it is set, before the reader knows that this is all.
	heard func(netconf.Head)
}

func newListener(body io.Reader) *listener {
	return &listener{body: body, checker: netconf.NewChecker()}
}

func (l *listener) Read(p []byte) (int, error) {
	n, err := l.body.Read(p)
	_, _ = l.checker.Write(p[:n]) // Finish tells
	if err == io.EOF && l.heard != nil {
		l.heard(l.head())
		l.heard = nil
	}
	return n, err
}

// head returns what was said, once the Body is read to its end.
func (l *listener) head() netconf.Head {
	h, err := l.checker.Finish()
	if err != nil {
		return netconf.Head{}
	}
	return h
}

// outcome returns what a reply said of its rpc; nothing if nobody listened.
func (l *listener) outcome() netconf.Outcome {
	if l == nil {
		return netconf.Unclear
	}
	return l.head().Outcome
}
