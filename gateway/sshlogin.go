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

// admissionKey is the key of an admission in Permissions.ExtraData.
type admissionKey struct{}

// admission is what a callback has granted, and for what.
type admission struct {
	grant grant
	shown credential
}

func permit(manager *auth.Manager, device string, shown auth.Credential) *ssh.Permissions {
	a := admission{grant{manager.Name, device}, credential{Credential: shown}}
	return &ssh.Permissions{ExtraData: map[any]any{admissionKey{}: a}}
}

// loginSSH makes the SSH handshake and lets the manager log in, or returns nil.
func (e *endpoint) loginSSH(set *settings, conn net.Conn, source netip.AddrPort, place *auth.Place) visitor {
	ctx, cancel := context.WithTimeout(e.ctx, set.LoginTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	l := sshLogin{e: e, set: set, ctx: ctx, conn: conn, place: place, source: source}
	config := *set.ssh
	config.PasswordCallback = l.password
	config.PublicKeyCallback = l.publicKey
	server, channels, requests, err := ssh.NewServerConn(&unproxied{Conn: conn, e: e, source: source.Addr()}, &config)
	if err != nil {
		l.report(err)
		return nil
	}
	admitted, ok := server.Permissions.ExtraData[admissionKey{}].(admission)
	if !ok {
		return nil // no callback of ours returns such permissions
	}
	return &sshConn{
		managerConn: managerConn{
			e: e, conn: conn, grant: admitted.grant, shown: admitted.shown, source: source,
			budget: set.budgets[admitted.grant.manager],
		},
		channels: channels, requests: requests,
	}
}

// sshLogin is one SSH connection on its way in.
type sshLogin struct {
	e      *endpoint
	set    *settings
	ctx    context.Context
	conn   net.Conn
	place  *auth.Place
	source netip.AddrPort

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
	return l.decide(conn, func(a auth.Attempt) (*auth.Manager, auth.Credential, error) {
		m, err := l.set.logins.Password(l.ctx, a, password)
		if err != nil {
			return nil, auth.Credential{}, err
		}
		return m, auth.Credential{PasswordHash: m.PasswordHash}, nil
	})
}

func (l *sshLogin) publicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	return l.decide(conn, func(a auth.Attempt) (*auth.Manager, auth.Credential, error) {
		if cert, ok := key.(*ssh.Certificate); ok {
			m, err := l.set.logins.UserCertificate(a, cert)
			return m, auth.Credential{UserCertificate: cert}, err
		}
		m, err := l.set.logins.Key(a, key)
		return m, auth.Credential{Key: key}, err
	})
}

func (l *sshLogin) decide(conn ssh.ConnMetadata, prove func(auth.Attempt) (*auth.Manager, auth.Credential, error)) (*ssh.Permissions, error) {
	name, device := l.target(conn.User())
	manager, shown, err := prove(auth.Attempt{Manager: name, Device: device, Source: l.source.Addr(), Working: l.working})
	if err != nil {
		l.refuse(conn.User(), err)
		return nil, err
	}
	return permit(manager, device, shown), nil
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
		l.e.logStranger(l.source.Addr(), err)
		return
	}
	why := strings.Join(l.reasons, "; ")
	manager, device := l.target(l.user)
	l.e.recordRefusal(l.source, manager, device, why)
	user := logged(l.user)
	kind := refusedLogin{l.set.Sources.Of(l.source.Addr()), user, why}
	l.e.logRefusedLogin(kind, l.source.Addr(), "user", user)
}
