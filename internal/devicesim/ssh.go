package devicesim

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// Modern algorithms only, the cheapest first: a fleet logs in at once.
var (
	keyExchanges = []string{
		ssh.KeyExchangeCurve25519, "curve25519-sha256@libssh.org",
		ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeECDHP256,
	}
	ciphers = []string{
		ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305,
		ssh.CipherAES128CTR, ssh.CipherAES256CTR,
	}
	macs = []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256}
)

func (d *Device) serverConfig() (*ssh.ServerConfig, error) {
	config := &ssh.ServerConfig{
		Config:          ssh.Config{KeyExchanges: keyExchanges, Ciphers: ciphers, MACs: macs},
		ServerVersion:   "SSH-2.0-callhome-device",
		AuthLogCallback: func(c ssh.ConnMetadata, method string, _ error) { d.o.OnAuth(c.User(), method) },
	}
	for _, key := range d.o.HostKeys {
		config.AddHostKey(key)
	}
	if d.o.LegacyAlgorithms {
		if err := d.useLegacyAlgorithms(config); err != nil {
			return nil, err
		}
	}
	if len(d.o.AuthorizedKeys) > 0 {
		config.PublicKeyCallback = d.checkKey
	}
	switch {
	case d.o.KeyboardInteractive:
		config.KeyboardInteractiveCallback = d.checkAnswers
	case d.o.Password != "":
		config.PasswordCallback = d.checkPassword
	}
	if d.o.SSH != nil {
		d.o.SSH(config)
	}
	return config, nil
}

var errDenied = errors.New("permission denied")

func (d *Device) checkPassword(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	if c.User() != d.o.Username || subtle.ConstantTimeCompare(password, []byte(d.o.Password)) == 0 {
		return nil, errDenied
	}
	return nil, nil
}

func (d *Device) checkAnswers(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	answers, err := ask("", "", []string{"Password: "}, []bool{false})
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, errDenied
	}
	return d.checkPassword(c, []byte(answers[0]))
}

// checkKey tells the hook of keys that will do: x/crypto logs a query for a
// key only when it is refused.
func (d *Device) checkKey(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	known := slices.ContainsFunc(d.o.AuthorizedKeys, func(k ssh.PublicKey) bool {
		return string(k.Marshal()) == string(key.Marshal())
	})
	if !known || c.User() != d.o.Username {
		return nil, errDenied
	}
	d.o.OnAuth(c.User(), "publickey")
	return nil, nil
}

// serveSSH is a call over SSH, with a session on each of its channels.
func (c *call) serveSSH() error {
	conn, chans, reqs, err := c.login()
	if err != nil {
		return err
	}
	c.loggedIn(conn.User())
	c.serveConnection(conn.User(), chans, reqs)
	c.cancel() // what the sessions are busy with is for nobody now
	c.wg.Wait()
	return conn.Wait()
}

func (c *call) login() (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	_ = c.line.SetDeadline(time.Now().Add(c.device.o.LoginTimeout))
	if j := c.device.o.Junos; j != nil {
		if _, err := c.line.Write(j.preamble(bareKey(c.device.o.HostKeys[0].PublicKey()))); err != nil {
			return nil, nil, nil, err
		}
	}
	c.line.latency.Store(int64(c.device.o.Latency))
	defer c.line.latency.Store(0)
	conn, chans, reqs, err := ssh.NewServerConn(c.line, c.device.ssh)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("login: %w", err)
	}
	return conn, chans, reqs, c.line.SetDeadline(time.Time{})
}

// channel is an SSH channel with the requests that arrive on it.
type channel struct {
	ssh.Channel
	requests <-chan *ssh.Request
	started  bool // a session runs on it
	excess   bool // it is one too many
}

// Close ends the channel like a program that has exited. It sends no EOF
// first: x/crypto's CloseWrite races with a Write that is going on.
func (c *channel) Close() error {
	_, _ = c.SendRequest("exit-status", false, make([]byte, 4))
	return c.Channel.Close()
}

// connection services an SSH connection. One goroutine does it for all its
// channels, which is what makes large fleets cheap; and a channel that is
// closed is seen before one that the peer opens after it.
type connection struct {
	*call
	user     string
	channels []*channel
}

// serveConnection returns when the connection has ended.
func (c *call) serveConnection(user string, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	conn := &connection{call: c, user: user}
	for {
		i, value, ok := reflect.Select(conn.cases(chans, reqs))
		switch {
		case i < 2 && !ok:
			return
		case i == 0:
			conn.open(value.Interface().(ssh.NewChannel))
		case i == 1:
			conn.global(value.Interface().(*ssh.Request))
		case !ok:
			conn.channels = slices.Delete(conn.channels, i-2, i-1)
		default:
			conn.request(conn.channels[i-2], value.Interface().(*ssh.Request))
		}
	}
}

func (c *connection) cases(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) []reflect.SelectCase {
	cases := []reflect.SelectCase{receive(chans), receive(reqs)}
	for _, ch := range c.channels {
		cases = append(cases, receive(ch.requests))
	}
	return cases
}

func receive(ch any) reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ch)}
}

// global answers a global request, such as keepalive@openssh.com, with a
// failure: that is an answer, too.
func (c *connection) global(r *ssh.Request) {
	turn := c.turn()
	turn.Lock()
	defer turn.Unlock()
	if !c.device.o.IgnoreGlobalRequests {
		_ = r.Reply(false, nil)
	}
}

// open accepts or refuses a channel. Errors show on the connection, too.
func (c *connection) open(n ssh.NewChannel) {
	turn := c.turn()
	turn.Lock()
	defer turn.Unlock()
	if n.ChannelType() != "session" {
		c.device.o.OnOpen(false)
		_ = n.Reject(ssh.UnknownChannelType, "only session channels")
		return
	}
	excess := c.full()
	if excess && c.refuse(n) {
		c.device.o.OnOpen(false)
		return
	}
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	c.channels = append(c.channels, &channel{Channel: ch, requests: requests, excess: excess})
	c.device.o.OnOpen(true)
}

// full reports whether no further channel is allowed.
func (c *connection) full() bool {
	if len(c.channels) >= c.device.o.MaxSessions {
		c.channels = slices.DeleteFunc(c.channels, c.ended)
	}
	sessions := 0
	for _, ch := range c.channels {
		if !ch.excess {
			sessions++
		}
	}
	return sessions >= c.device.o.MaxSessions
}

// ended reports whether a channel is closed. It does not wait.
func (c *connection) ended(ch *channel) bool {
	for {
		select {
		case r, ok := <-ch.requests:
			if !ok {
				return true
			}
			c.request(ch, r)
		default:
			return false
		}
	}
}

// request starts a session for the subsystem netconf, and refuses the rest.
func (c *connection) request(ch *channel, r *ssh.Request) {
	var subsystem struct{ Name string }
	if r.Type != "subsystem" || ch.started || ssh.Unmarshal(r.Payload, &subsystem) != nil || subsystem.Name != "netconf" {
		_ = r.Reply(false, nil)
		return
	}
	ch.started = true
	if ch.excess {
		c.requestExcess(ch, r)
		return
	}
	_ = r.Reply(true, nil)
	c.wg.Go(func() {
		if err := c.device.serveSession(c.ctx, ch, c.user, c.turn()); err != nil {
			c.device.o.Log.Debug("session ended", "device", c.device.o.Name, "error", err)
		}
	})
}
