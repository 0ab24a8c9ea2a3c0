package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"callhome-gateway/callhome"
	"callhome-gateway/gateway"
)

// The lines of the file. Their fields are there in every line of the kind, unless
// they say that they are left out when empty: programs rely on them.

type header struct {
	Time  string `json:"time"`
	Event string `json:"event"`
}

type loginLine struct {
	header
	Transport callhome.Transport `json:"transport"`
	Source    netip.AddrPort     `json:"source"`
	Manager   string             `json:"manager"`
	Device    string             `json:"device"`
	Reason    string             `json:"reason"`
	// Count is how many logins the line stands for; left out when 1.
	Count int `json:"count,omitempty"`
}

type sessionLine struct {
	header
	Manager         string             `json:"manager"`
	Transport       callhome.Transport `json:"transport"`
	Source          netip.AddrPort     `json:"source"`
	Device          string             `json:"device"`
	SessionID       uint32             `json:"session_id"`
	DeviceSessionID uint32             `json:"device_session_id"`
	Shared          bool               `json:"shared"`
}

type endLine struct {
	sessionLine
	Reason      string  `json:"reason"`
	TookMS      float64 `json:"took_ms"`
	MessagesIn  uint64  `json:"messages_in"`
	MessagesOut uint64  `json:"messages_out"`
	BytesIn     uint64  `json:"bytes_in"`
	BytesOut    uint64  `json:"bytes_out"`
}

type rpcLine struct {
	sessionLine
	MessageID    string  `json:"message_id"`
	Operation    string  `json:"operation"`
	Namespace    string  `json:"namespace"`
	Target       string  `json:"target,omitempty"`
	Result       string  `json:"result"`
	ErrorTag     string  `json:"error_tag,omitempty"`
	TookMS       float64 `json:"took_ms"`
	RequestBytes int64   `json:"request_bytes"`
	ReplyBytes   int64   `json:"reply_bytes"`
	Body         string  `json:"body,omitempty"`
	// BodyCut is set where the body is not all of the request.
	BodyCut bool `json:"body_cut,omitempty"`
}

type lostLine struct {
	header
	Count int `json:"count"`
}

// What is queued besides the records of package gateway.
type (
	refusedLogins struct {
		gateway.LoginRecord
		count int
	}
	lostRecords struct {
		count int
		at    time.Time
	}
)

// append appends the line of a record to lines.
func (s *settings) append(lines []byte, record any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s.line(record)) // a Buffer does not fail, and these types have a form
	return appendTame(lines, b.Bytes(), `\u%04x`)
}

// appendTame appends text in UTF-8 to dst. Characters that a terminal may obey and
// that neither JSON nor XML rules out, DEL and those of C1, go in that form.
func appendTame(dst, text []byte, form string) []byte {
	for {
		i := bytes.IndexFunc(text, func(r rune) bool { return r >= 0x7f && r <= 0x9f })
		if i < 0 {
			return append(dst, text...)
		}
		r, n := utf8.DecodeRune(text[i:])
		dst = fmt.Appendf(append(dst, text[:i]...), form, r)
		text = text[i+n:]
	}
}

func (s *settings) line(record any) any {
	switch r := record.(type) {
	case refusedLogins:
		return newLoginLine(r)
	case gateway.SessionRecord:
		return newSessionLine("session-begin", r.Since, r)
	case gateway.SessionEnd:
		return endLine{
			sessionLine: newSessionLine("session-end", r.Time, r.SessionRecord),
			Reason:      r.Reason, TookMS: milliseconds(r.Time.Sub(r.Since)),
			MessagesIn: r.MessagesIn, MessagesOut: r.MessagesOut, BytesIn: r.BytesIn, BytesOut: r.BytesOut,
		}
	case gateway.RequestRecord:
		return s.rpcLine(r)
	case lostRecords:
		return lostLine{newHeader("lost", r.at), r.count}
	}
	return nil
}

func newHeader(event string, at time.Time) header {
	return header{stamp(at), event}
}

func newLoginLine(r refusedLogins) loginLine {
	l := loginLine{
		header: newHeader("login-refused", r.Time), Transport: r.Transport, Source: r.Source,
		Manager: r.Manager, Device: r.Device, Reason: r.Reason,
	}
	if r.count > 1 {
		l.Count = r.count
	}
	return l
}

func newSessionLine(event string, at time.Time, r gateway.SessionRecord) sessionLine {
	return sessionLine{
		header: newHeader(event, at), Manager: r.Manager, Transport: r.Transport, Source: r.Source, Device: r.Device,
		SessionID: r.SessionID, DeviceSessionID: r.DeviceSessionID, Shared: r.Shared,
	}
}

func (s *settings) rpcLine(r gateway.RequestRecord) rpcLine {
	l := rpcLine{
		sessionLine: newSessionLine("rpc", r.Began, r.SessionRecord),
		MessageID:   r.MessageID, Operation: r.Operation, Namespace: r.Namespace, Target: r.Target,
		Result: r.Result, ErrorTag: r.ErrorTag, TookMS: milliseconds(r.Took),
		RequestBytes: r.RequestBytes, ReplyBytes: r.ReplyBytes,
	}
	if len(r.Body) > 0 {
		body, whole := s.redactor.Append(nil, r.Body, s.BodyLimit)
		l.Body, l.BodyCut = string(body), !whole
	}
	return l
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
