package callhome

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// phase is how far a handshake got: the errors of x/crypto do not tell.
type phase uint8

const (
	phaseKeyExchange phase = iota
	phaseLogin
)

// login is the SSH client handshake on one call: key exchange, stage B, and
// one login attempt with one user entry.
type login struct {
	server *Server
	call   *callConn
	plan   *plan
	pace   *pace

	// The fields below are set in the host key callback, which x/crypto runs
	// before it goes on to the login, and then only read.
	verdict
	phase    phase
	identity auth.Identity
	proved   proof

	// refused is set when the device has refused every method that we have.
	refused bool
	// offered says that a credential was sent.
	offered bool
}

var errLoginRefused = errors.New("the device refused the login")

// run returns the connection after a successful login.
func (l *login) run(ctx context.Context) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	stop := context.AfterFunc(ctx, func() { _ = l.call.Close() })
	defer stop()
	if err := l.begin(); err != nil {
		return nil, nil, nil, err
	}
	conn, channels, requests, err := ssh.NewClientConn(l.call, l.plan.remote.String(), l.config(ctx))
	if err != nil {
		return nil, nil, nil, err
	}
	return conn, channels, requests, l.call.SetDeadline(time.Time{})
}

// forget drops what is of no use after the login: x/crypto holds on to it for as
// long as the connection lives, for the key that the device shows at a rekey.
func (l *login) forget() {
	l.server, l.plan, l.pace = nil, nil, nil
	l.verdict, l.proved = verdict{}, proof{}
}

// begin waits until there is something to do, and for the turn to do it.
func (l *login) begin() error {
	if err := l.call.greet(time.Now().Add(keyExchangeTimeout)); err != nil {
		return err
	}
	if err := l.pace.awaitPacket(); err != nil {
		return err
	}
	return l.pace.take()
}

func (l *login) config(ctx context.Context) *ssh.ClientConfig {
	config := l.plan.sshConfig()
	old := l.listen(config)
	config.AuthCallback = l.nextMethod
	config.HostKeyCallback = func(_ string, _ net.Addr, key ssh.PublicKey) error {
		proved := hostProof(key)
		if l.phase == phaseLogin {
			return l.checkRekey(proved)
		}
		proved.old = old()
		return l.checkHostKey(ctx, proved)
	}
	return config
}

// listen arranges that what the device offers is heard where it may agree on old
// algorithms, and returns what tells which those are, once it has offered.
func (l *login) listen(config *ssh.ClientConfig) (old func() []string) {
	if !l.plan.legacy {
		return func() []string { return nil }
	}
	offers, call := &kexInit{}, l.call
	call.overheard = func(p []byte) {
		if offers.hear(p); offers.over {
			call.overheard = nil
		}
	}
	return func() []string {
		defer func() { *offers = kexInit{over: true} }()
		return offers.old(config)
	}
}

// checkRekey sees the key that the device shows at a rekey. Its certificate may
// have been renewed since.
func (l *login) checkRekey(proved proof) error {
	if proved.identity != l.identity {
		return errors.New("the device showed another host key during the connection")
	}
	return nil
}

// checkHostKey is stage B. x/crypto has verified the key's signature when it
// calls this.
func (l *login) checkHostKey(ctx context.Context, proved proof) error {
	l.pace.stop()
	l.proved, l.identity = proved, proved.identity
	l.verdict = l.server.decide(ctx, l.plan, proved)
	if l.rejected != nil {
		return l.rejected
	}
	// A login may wait for a RADIUS server for a minute.
	l.pace.trusted(l.binding.trusted())
	l.phase = phaseLogin
	return l.call.SetDeadline(time.Now().Add(loginTimeout))
}

// nextMethod chooses the next authentication method, or ends the handshake
// when the device has refused all that the user entry has.
func (l *login) nextMethod(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if err := l.call.broken(); err != nil {
		return nil, err // x/crypto counts a broken connection as a refused method
	}
	user, keys := l.binding.user, l.binding.signers()
	switch {
	case len(keys) > 0 && open(c, "publickey"):
		l.offered = true
		return ssh.PublicKeys(keys...), nil
	case !l.mayUsePassword():
	case open(c, "password"):
		return ssh.PasswordCallback(l.password), nil
	case !slices.Contains(c.TriedMethods, "password") && open(c, "keyboard-interactive"):
		return ssh.KeyboardInteractive(l.answer(user)), nil
	}
	l.refused = true
	return nil, errLoginRefused
}

// open reports whether the device takes the method and it was not used yet. A
// method that brought partial success is used up as well.
func open(c *ssh.ClientAuthContext, method string) bool {
	return slices.Contains(c.AllowedMethods, method) &&
		!slices.Contains(c.TriedMethods, method) &&
		!slices.Contains(c.PartialSuccessMethods, method)
}

func (l *login) mayUsePassword() bool {
	user := l.binding.user
	return user.Password != "" && (!l.binding.unvouched || user.FirstUsePassword)
}

func (l *login) password() (string, error) {
	l.offered = true
	return l.binding.user.Password.Reveal(), nil
}

// answer gives the password to the first prompt that hides what is typed and
// the username to those that show it. A second hidden prompt is the same
// question again or asks for what we do not have.
func (l *login) answer(user *auth.User) ssh.KeyboardInteractiveChallenge {
	rounds, answered := 0, false
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		if rounds++; rounds > 4 || len(questions) > 4 {
			return nil, errors.New("too many keyboard-interactive prompts")
		}
		answers := make([]string, len(questions))
		for i, echo := range echos {
			if echo {
				answers[i] = user.Username
				continue
			}
			if answered {
				return nil, errors.New("the device asks for more than the password")
			}
			answers[i], _ = l.password()
			answered = true
		}
		return answers, nil
	}
}

// outcome says why the handshake failed, and whether the device refused the
// user entry. Only a refusal counts against the entry: a timeout, a reset or
// the silence of a dead AAA server do not.
func (l *login) outcome(err error) (r *rejection, refused bool) {
	var negotiation *ssh.AlgorithmNegotiationError
	switch {
	case l.rejected != nil:
		return l.rejected, false
	case l.pace.starved != nil:
		return starved(l.pace), false
	case l.refused || l.disconnectedForAuth(err):
		return reject(FailedLogin, "%s refused the login as %s with the user entry %s: check the entry's credentials and the device's%s",
			l.binding.name, Quote(l.binding.user.Username), l.binding.user.Name, l.binding.weakKeyHint()), true
	case l.call.timedOut() && l.phase == phaseLogin:
		return reject(TimedOut, "%s did not answer the login within %s", l.binding.name, loginTimeout), false
	case l.call.timedOut():
		return reject(TimedOut, "the device did not finish the key exchange within %s", keyExchangeTimeout), false
	case errors.As(err, &negotiation):
		return l.nothingCommon(negotiation), false
	case l.phase == phaseLogin:
		return reject(FailedLogin, "%s ended the connection during the login: %s", l.binding.name, Quote(l.cause(err).Error())), false
	}
	return reject(FailedHandshake, "the key exchange failed: %s", Quote(l.cause(err).Error())), false
}

// nothingCommon is the outcome where both sides have no algorithm in common.
func (l *login) nothingCommon(n *ssh.AlgorithmNegotiationError) *rejection {
	if old := oldOf(n.RequestedAlgorithms); len(old) > 0 && !l.plan.legacy {
		return reject(FailedHandshake, "no common %s: the device has only old algorithms (%s): %s", n.What, strings.Join(old, ", "), allowOld)
	}
	return reject(FailedHandshake, "no common %s: the device offers %s, the gateway %s", n.What,
		Quote(strings.Join(n.RequestedAlgorithms, ",")), strings.Join(n.SupportedAlgorithms, ","))
}

// disconnectedForAuth recognises the SSH disconnect message that servers send
// instead of another refusal when their limit of attempts is reached: OpenSSH
// with reason 2, others with 14 (RFC 4253 section 11.1). x/crypto does not
// export the error, only its text.
func (l *login) disconnectedForAuth(err error) bool {
	text := err.Error()
	return l.phase == phaseLogin && l.offered &&
		(strings.Contains(text, "ssh: disconnect, reason 2:") || strings.Contains(text, "ssh: disconnect, reason 14:"))
}

// cause prefers what the network said to what x/crypto made of it.
func (l *login) cause(err error) error {
	if failure := l.call.failed(); failure != nil {
		return failure
	}
	return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "ssh: handshake failed: "))
}
