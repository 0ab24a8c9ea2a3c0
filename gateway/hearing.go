package gateway

import (
	"io"

	"callhome-gateway/internal/netconf"
)

// hearing is the Body of a message of the device that is listened to on its way
// to the manager.
type hearing struct {
	body     io.Reader
	size     int64
	recorded bool // it is a reply, and somebody wants to know what it says
	reply    netconf.ReplyScanner
	copied   *copying // nil unless the device is traced
}

// listen has a message listened to where anybody wants that.
func (r *relay) listen(m *netconf.Message) (*netconf.Message, *hearing) {
	t := r.traced()
	recorded := r.recording != nil && m.Head.Kind == netconf.KindReply
	if t == nil && !recorded {
		return m, nil
	}
	h := &hearing{body: m.Body, recorded: recorded}
	if t != nil {
		h.copied = newCopying(t)
	}
	return &netconf.Message{Head: m.Head, Size: m.Size, Body: h, InPlace: m.InPlace}, h
}

func (h *hearing) Read(p []byte) (int, error) {
	n, err := h.body.Read(p)
	h.size += int64(n)
	if h.recorded {
		_, _ = h.reply.Write(p[:n])
	}
	if h.copied != nil {
		h.copied.keep(p[:n])
	}
	return n, err
}

// result returns what the reply says, once it was read to its end.
func (h *hearing) result(inPlace bool) string {
	h.reply.Finish()
	switch {
	case h.reply.Failed() && inPlace:
		return ResultRefused
	case h.reply.Failed():
		return ResultError
	case h.reply.OK():
		return ResultOK
	}
	return ResultData
}

// tracePassed tells the trace of a message that has passed, or has not.
func (r *relay) tracePassed(m *netconf.Message, h *hearing, whole bool) {
	if h == nil || h.copied == nil {
		return
	}
	record := r.traceRecord(m.Head, h.size)
	record.FromDevice, record.InPlace, record.Partial = true, m.InPlace, !whole
	h.copied.done(record)
}
