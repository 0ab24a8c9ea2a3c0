package gateway

import (
	"net/netip"
	"time"

	"callhome-gateway/callhome"
)

// Recorder is told of what managers do: for the audit, for figures, and for who
// watches. Its methods are called concurrently, and must not block for longer
// than a write to a disk takes: managers wait for them, on a shared session all
// of its managers. What they are given is theirs to keep.
type Recorder interface {
	// Admit returns why no manager session may begin at present, or nil.
	Admit() error
	// LoginRefused is told of a manager's login that failed.
	LoginRefused(LoginRecord)
	// SessionBegins is told of each manager session before its first request,
	// and SessionEnds of the same one after its last.
	SessionBegins(SessionRecord)
	SessionEnds(SessionEnd)
	// Requested is told of each rpc of a manager when its reply has gone out
	// whole, or when it is certain that none will. Records of one session come in
	// the order of their replies, which is that of their requests.
	Requested(RequestRecord)
	// Bodies reports whether the text of such a request is wanted in its record,
	// and how much of it at most, in bytes; 0 means none.
	Bodies(namespace, operation string) int
}

// LoginRecord is a login that failed. Manager and Device are as the manager gave
// them: anything may be in them, 255 bytes at most.
type LoginRecord struct {
	Time            time.Time
	Transport       callhome.Transport
	Source          netip.AddrPort
	Manager, Device string
	Reason          string
}

// SessionRecord is one manager session.
type SessionRecord struct {
	Manager   string
	Transport callhome.Transport
	Source    netip.AddrPort
	Device    string
	// SessionID is what the manager was told; DeviceSessionID is that of the
	// session with the device which carries it: the same, unless it is shared.
	SessionID, DeviceSessionID uint32
	Shared                     bool
	Since                      time.Time
}

// SessionEnd is the end of a manager session.
type SessionEnd struct {
	SessionRecord
	Time                    time.Time
	Reason                  string
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64
}

// The results of a request.
const (
	ResultOK      = "ok"      // the reply has <ok/>
	ResultData    = "data"    // the reply has data and no error
	ResultError   = "error"   // the reply has an rpc-error that is no warning
	ResultRefused = "refused" // the gateway has answered it with an error, and the device has not seen it
	ResultNone    = "none"    // no reply came, or not all of it
)

// RequestRecord is one rpc and what became of it. A message that was refused
// because it is no sound rpc has as much of this as could be read of it. Names
// from outside are cut to 255 bytes.
type RequestRecord struct {
	SessionRecord
	// Began is when the whole request had come, and Took how long it took until
	// the whole reply had gone out.
	Began                time.Time
	Took                 time.Duration
	MessageID            string // the manager's own
	Namespace, Operation string
	// Target is the datastore that it is about, where it names one.
	Target string
	Result string
	// ErrorTag is that of the first rpc-error, a warning only where there are no
	// others; 64 bytes of it at most.
	ErrorTag                 string
	RequestBytes, ReplyBytes int64
	// Body is the text of the request, as far as Recorder.Bodies asked for it.
	// What is secret in it is still there.
	Body []byte
}
