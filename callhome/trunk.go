package callhome

// Trunk is the control session of a link in the hands of one who carries
// several managers over it. It has the link's life: there is nothing to close.
type Trunk struct{ link *Link }

// Trunk hands the control session over. From then on handle is called with
// every message that the device sends on it, in order and on one goroutine;
// what it leaves of a Body is skipped. Replies to the gateway's own idle RPC
// are not among them. Only the first call takes over; it panics on another.
func (l *Link) Trunk(handle func(*Message)) *Trunk { panic("not written yet") }

// Hello returns the device's hello.
func (t *Trunk) Hello() *Hello { return t.link.Control().Hello() }

// Framing returns how messages are delimited on the session.
func (t *Trunk) Framing() Framing { return t.link.Control().Framing() }

// Send writes one whole message. It is called by one goroutine at a time. An
// error means that the link is ending.
func (t *Trunk) Send(m *Message) error { return t.link.Control().Send(m) }

// Go runs f on a goroutine that the end of the link waits for: f must return
// soon after Ending is closed. It reports false, and does nothing, when that
// has happened.
func (t *Trunk) Go(f func()) bool { return t.link.spawn(f) }

// Ending is closed when the link begins to end.
func (t *Trunk) Ending() <-chan struct{} { return t.link.ending }

// End begins the end of the link, for that reason, without waiting for it.
func (t *Trunk) End(reason error) { t.link.end(reason) }
