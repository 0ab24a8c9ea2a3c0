package gateway

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// grant is what a login gave: this manager may use this device. It is made in
// the callback that decides and travels in the Permissions that it returns;
// what a callback saw of other attempts must not count (CVE-2024-45337).
type grant struct {
	manager string
	device  string // empty when the manager named none
}

// grantKey is the key of a grant in Permissions.ExtraData.
type grantKey struct{}

func permit(manager *auth.Manager, device string) *ssh.Permissions {
	return &ssh.Permissions{ExtraData: map[any]any{grantKey{}: grant{manager.Name, device}}}
}

// login makes the SSH handshake and lets the manager log in. The error says
// why it did not: for the log only.
func (e *endpoint) login(conn net.Conn, source netip.Addr) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	ctx, cancel := context.WithTimeout(e.ctx, e.g.opts.LoginTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	l := login{e: e, ctx: ctx, source: source}
	config := *e.g.ssh
	config.PasswordCallback = l.password
	config.PublicKeyCallback = l.publicKey
	server, channels, requests, err := ssh.NewServerConn(conn, &config)
	if err != nil {
		l.report(err)
	}
	return server, channels, requests, err
}

// login is one connection on its way in.
type login struct {
	e      *endpoint
	ctx    context.Context
	source netip.Addr

	// What was refused last, for the log.
	user   string
	reason error
}

// target splits what the manager logs in as into its name and the device.
func (l *login) target(user string) (manager, device string) {
	if l.e.device != "" {
		return user, l.e.device
	}
	at := strings.LastIndexByte(user, '@')
	if at < 0 {
		return user, ""
	}
	return user[:at], strings.ToLower(user[at+1:])
}

func (l *login) password(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	return l.decide(conn, func(a auth.Attempt) (*auth.Manager, error) {
		return l.e.g.logins.Password(l.ctx, a, password)
	})
}

func (l *login) publicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	return l.decide(conn, func(a auth.Attempt) (*auth.Manager, error) {
		return l.e.g.logins.Key(a, key)
	})
}

func (l *login) decide(conn ssh.ConnMetadata, prove func(auth.Attempt) (*auth.Manager, error)) (*ssh.Permissions, error) {
	name, device := l.target(conn.User())
	manager, err := prove(auth.Attempt{Manager: name, Device: device, Source: l.source})
	if err != nil {
		l.user, l.reason = conn.User(), err
		return nil, err
	}
	return permit(manager, device), nil
}

// report logs why a connection did not log in. One that never tried to is a
// port scan, or a monitor that looks whether the port is open.
func (l *login) report(err error) {
	if l.reason == nil {
		l.e.g.opts.Log.Debug("a manager's connection ended before a login",
			"remote", l.source, "port", l.e.port, "error", logged(err.Error()))
		return
	}
	l.e.g.opts.Log.Warn("a manager's login was refused",
		"user", logged(l.user), "port", l.e.port, "remote", l.source, "reason", l.reason)
}

// sourceOf returns the address and port that a connection comes from.
func sourceOf(conn net.Conn) netip.AddrPort {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// handle serves one connection of a manager, from accept to its end.
func (e *endpoint) handle(conn net.Conn) {
	defer conn.Close()
	source := sourceOf(conn)
	network := auth.Network(source.Addr())
	if !e.g.arrive.Enter(network) {
		if n := e.g.dropped.report(time.Now()); n > 0 {
			e.g.opts.Log.Warn("too many managers are logging in at once, connections are dropped",
				"dropped", n, "remote", source.Addr(), "port", e.port)
		}
		return
	}
	begin := time.Now()
	server, channels, requests, err := e.login(conn, source.Addr())
	e.g.arrive.Leave(network)
	if err != nil {
		return
	}
	granted, ok := server.Permissions.ExtraData[grantKey{}].(grant)
	if !ok {
		return // no callback of ours returns such permissions
	}
	e.g.opts.Log.Debug("a manager has logged in", "manager", granted.manager,
		"device", logged(granted.device), "remote", source, "took", time.Since(begin))
	c := &managerConn{e: e, conn: conn, grant: granted, source: source}
	if refusal := e.g.quotas.connect(granted); refusal != "" {
		c.turnAway(channels, refusal)
		return
	}
	c.serve(channels, requests)
}
