package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
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
func (e *endpoint) loginSSH(conn net.Conn, source netip.AddrPort, place *auth.Place) visitor {
	ctx, cancel := context.WithTimeout(e.ctx, e.g.opts.LoginTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	l := sshLogin{e: e, ctx: ctx, conn: conn, place: place, source: source.Addr()}
	config := *e.g.ssh
	config.PasswordCallback = l.password
	config.PublicKeyCallback = l.publicKey
	server, channels, requests, err := ssh.NewServerConn(&unproxied{Conn: conn, e: e, source: source.Addr()}, &config)
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
	conn   net.Conn
	place  *auth.Place
	source netip.Addr

	// What was refused, for the log.
	user    string
	reasons []string
}

// maxReasons is how many different reasons are kept of one connection. An agent
// with many keys gives the same one for each.
const maxReasons = 3

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
		if cert, ok := key.(*ssh.Certificate); ok {
			return l.e.g.logins.UserCertificate(a, cert)
		}
		return l.e.g.logins.Key(a, key)
	})
}

func (l *sshLogin) decide(conn ssh.ConnMetadata, prove func(auth.Attempt) (*auth.Manager, error)) (*ssh.Permissions, error) {
	name, device := l.target(conn.User())
	manager, err := prove(auth.Attempt{Manager: name, Device: device, Source: l.source, Working: l.working})
	if err != nil {
		l.refuse(conn.User(), err)
		return nil, err
	}
	return permit(manager, device), nil
}

// working keeps the place while the manager waits for us.
func (l *sshLogin) working(is bool) { l.place.Waiting(!is) }

// refuse remembers a refusal. Where the password was not even compared the
// connection ends: "permission denied" would be wrong advice.
func (l *sshLogin) refuse(user string, err error) {
	l.user = user
	reason := printable(err.Error(), maxReason/2)
	if len(l.reasons) < maxReasons && !slices.Contains(l.reasons, reason) {
		l.reasons = append(l.reasons, reason)
	}
	if errors.Is(err, auth.ErrLoginsBusy) {
		_ = l.conn.Close()
	}
}

// report logs why a connection did not log in.
func (l *sshLogin) report(err error) {
	if len(l.reasons) == 0 {
		l.e.logStranger(l.source, err)
		return
	}
	user := logged(l.user)
	kind := refusedLogin{l.e.g.opts.Sources.Of(l.source), user, strings.Join(l.reasons, "; ")}
	l.e.logRefusedLogin(kind, l.source, "user", user)
}
