package gateway

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// grantKey is the key of a grant in Permissions.ExtraData.
type grantKey struct{}

func permit(manager *auth.Manager, device string) *ssh.Permissions {
	return &ssh.Permissions{ExtraData: map[any]any{grantKey{}: grant{manager.Name, device}}}
}

// loginSSH makes the SSH handshake and lets the manager log in, or returns nil.
func (e *endpoint) loginSSH(conn net.Conn, source netip.AddrPort) visitor {
	ctx, cancel := context.WithTimeout(e.ctx, e.g.opts.LoginTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	l := sshLogin{e: e, ctx: ctx, source: source.Addr()}
	config := *e.g.ssh
	config.PasswordCallback = l.password
	config.PublicKeyCallback = l.publicKey
	server, channels, requests, err := ssh.NewServerConn(conn, &config)
	if err != nil {
		l.report(err)
		return nil
	}
	granted, ok := server.Permissions.ExtraData[grantKey{}].(grant)
	if !ok {
		return nil // no callback of ours returns such permissions
	}
	return &sshConn{
		managerConn: managerConn{e: e, conn: conn, grant: granted, source: source},
		channels:    channels, requests: requests,
	}
}

// sshLogin is one SSH connection on its way in.
type sshLogin struct {
	e      *endpoint
	ctx    context.Context
	source netip.Addr

	// What was refused last, for the log.
	user   string
	reason error
}

// target splits what the manager logs in as into its name and the device.
func (l *sshLogin) target(user string) (manager, device string) {
	if l.e.device != "" {
		return user, l.e.device
	}
	at := strings.LastIndexByte(user, '@')
	if at < 0 {
		return user, ""
	}
	return user[:at], strings.ToLower(user[at+1:])
}

func (l *sshLogin) password(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	return l.decide(conn, func(a auth.Attempt) (*auth.Manager, error) {
		return l.e.g.logins.Password(l.ctx, a, password)
	})
}

func (l *sshLogin) publicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	return l.decide(conn, func(a auth.Attempt) (*auth.Manager, error) {
		return l.e.g.logins.Key(a, key)
	})
}

func (l *sshLogin) decide(conn ssh.ConnMetadata, prove func(auth.Attempt) (*auth.Manager, error)) (*ssh.Permissions, error) {
	name, device := l.target(conn.User())
	manager, err := prove(auth.Attempt{Manager: name, Device: device, Source: l.source})
	if err != nil {
		l.user, l.reason = conn.User(), err
		return nil, err
	}
	return permit(manager, device), nil
}

// report logs why a connection did not log in.
func (l *sshLogin) report(err error) {
	if l.reason == nil {
		l.e.logStranger(l.source, err)
		return
	}
	l.e.g.opts.Log.Warn("a manager's login was refused",
		"user", logged(l.user), "port", l.e.port, "remote", l.source, "reason", l.reason)
}
