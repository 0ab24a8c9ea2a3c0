package gateway

import (
	"io"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshSession is one channel of a manager and, once it has asked for the
// netconf subsystem, the NETCONF session with the device behind it.
type sshSession struct {
	*managerSession
	conn     *sshConn
	channel  ssh.Channel
	requests <-chan *ssh.Request

	asked bool // for the subsystem, or something else
	// answered is closed when the subsystem was confirmed; nil while nobody has
	// asked for it.
	answered chan struct{}
	early    *earlyReader
}

func newSSHSession(c *sshConn, channel ssh.Channel, requests <-chan *ssh.Request) *sshSession {
	s := &sshSession{conn: c, channel: channel, requests: requests, early: newEarlyReader(channel)}
	s.managerSession = newManagerSession(&c.managerConn, sshStream{s.early, channel})
	return s
}

// sshStream is a manager's channel, which is read early.
type sshStream struct {
	*earlyReader
	io.WriteCloser
}

// serve answers the channel's requests and watches over the session until it
// has ended on both sides.
func (s *sshSession) serve() {
	defer s.stream.stop()
	defer s.work.Wait()
	s.work.Go(s.watchEarly)
	s.work.Go(s.watchStderr)
	unasked := time.AfterFunc(s.opts.HelloTimeout, func() {
		s.end(refused("the manager asked for nothing", "nothing was asked for in time"))
	})
	why := s.watch(s.requests, func(request *ssh.Request) {
		if s.answer(request); s.asked {
			unasked.Stop()
		}
	})
	unasked.Stop()
	s.finish(why)
}

// answer answers a request of the manager. What is no NETCONF is granted, so
// that what it prints reaches the person who asked for it: clients hide what
// comes with a refusal.
func (s *sshSession) answer(request *ssh.Request) {
	switch {
	case request.Type == "env", request.Type == "pty-req":
		_ = request.Reply(true, nil)
	case request.Type != "subsystem" && request.Type != "shell" && request.Type != "exec", s.asked:
		_ = request.Reply(false, nil)
	case isNetconf(request):
		s.asked = true
		close(s.early.asked)
		s.answered = make(chan struct{})
		s.work.Go(func() { s.run(request) })
	default:
		s.asked = true
		_ = request.Reply(true, nil)
		s.end(refused("the manager asked for a "+request.Type, s.conn.noShell()))
	}
}

func isNetconf(request *ssh.Request) bool {
	var asked struct{ Name string }
	return request.Type == "subsystem" && ssh.Unmarshal(request.Payload, &asked) == nil && asked.Name == "netconf"
}

// run finds the device, confirms the subsystem, and relays. A subsystem that
// is refused would hide the sentence that says why.
func (s *sshSession) run(request *ssh.Request) {
	d, l, why := s.find()
	_ = request.Reply(true, nil)
	close(s.answered)
	s.carry(d, l, why)
}

// finish says goodbye to the manager. It returns when the manager has
// confirmed the end, or has had its time to.
func (s *sshSession) finish(why *ending) {
	defer s.conn.finished(s)
	late := time.AfterFunc(why.grace(s.opts.StallTimeout), s.conn.kill)
	defer late.Stop()
	if s.answered != nil {
		<-s.answered // a manager that waits for its device waits no longer
	}
	// Behind a blocked write the sentence would never come through, and what
	// follows neither.
	if why.sentence != "" && !s.stream.blocked() {
		say(s.channel.Stderr(), why.sentence)
	}
	_, _ = s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{why.status}))
	_ = s.channel.Close()
	for request := range s.requests {
		_ = request.Reply(false, nil)
	}
}
