package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callhome-gateway/internal/config"

	"github.com/caddyserver/certmagic"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap"
)

const (
	acmeDir = "certmagic" // in the state directory
	// acmePause follows a failure that certmagic itself does not try again.
	acmePause = time.Hour
)

// acmeClient obtains the certificates of the TLS endpoints and renews them. It
// answers the HTTP-01 challenge only: the TLS-ALPN one goes to port 443, where
// no NETCONF server is.
type acmeClient struct {
	config *config.ACME
	dir    string
	log    hclog.Logger
	// at is where the CA looks for the answers, and socket listens there, from
	// listen to the end of run. It is another client's then if it was handed on.
	at       netip.AddrPort
	socket   *socket
	handedOn atomic.Bool
	// challenges are the connections there, while run runs.
	challenges net.Listener
	// stop ends run, and ended is closed when it has.
	stopped context.Context
	stop    context.CancelFunc
	ended   chan struct{}
	// cache and magic are there while run runs.
	cache atomic.Pointer[certmagic.Cache]
	magic atomic.Pointer[certmagic.Config]
}

func newACMEClient(c *config.ACME, stateDir string, log hclog.Logger) *acmeClient {
	a := &acmeClient{config: c, dir: filepath.Join(stateDir, acmeDir), log: log.Named("acme"), ended: make(chan struct{})}
	a.stopped, a.stop = context.WithCancel(context.Background())
	return a
}

// listen opens the port at which the CA looks for the answers, unless the client
// before has it: from that it is taken over, once that has ended.
func (a *acmeClient) listen(address netip.Addr, s *sockets, before *acmeClient) (err error) {
	a.at = netip.AddrPortFrom(address, a.config.HTTPPort)
	if before != nil && before.at == a.at {
		a.socket = before.socket
		return nil
	}
	if a.socket, err = s.open(address, a.config.HTTPPort); err != nil {
		return fmt.Errorf("cannot listen for the challenges of the ACME CA (http_port): %w", err)
	}
	return nil
}

// asGood reports whether the client does what one with that configuration would.
func (a *acmeClient) asGood(c *config.ACME, address netip.Addr) bool {
	own := a.config
	return own.CA == c.CA && own.Email == c.Email && slices.Equal(own.Domains, c.Domains) && own.Roots.Equal(c.Roots) &&
		a.at == netip.AddrPortFrom(address, c.HTTPPort)
}

// certificate returns the one for the server name that a manager asks for, or
// else for the first domain that has one; nil without any.
func (a *acmeClient) certificate(name string) *tls.Certificate {
	cache := a.cache.Load()
	if cache == nil {
		return nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if slices.Contains(a.config.Domains, name) {
		if cert := newest(cache, name); cert != nil {
			return cert
		}
	}
	for _, domain := range a.config.Domains {
		if cert := newest(cache, domain); cert != nil {
			return cert
		}
	}
	return nil
}

// newest returns the certificate that is valid for longest: a renewed one and
// the old one may be there for a moment.
func newest(cache *certmagic.Cache, domain string) (best *tls.Certificate) {
	for _, cert := range cache.AllMatchingCertificates(domain) {
		if best == nil || cert.Leaf.NotAfter.After(best.Leaf.NotAfter) {
			best = &cert.Certificate
		}
	}
	return best
}

// run obtains and renews until ctx ends or stop is called. What certmagic starts has ended when
// it returns, but for the connections to the CA that are idle, which the CA
// closes, and one goroutine that counts its orders.
func (a *acmeClient) run(ctx context.Context) error {
	defer close(a.ended)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.stopped, cancel)()
	a.challenges = limitListener(a.socket.lease(), maxChallengeConns)
	defer func() {
		_ = a.challenges.Close()
		if !a.handedOn.Load() {
			a.socket.giveUp()
		}
	}()
	defer carryStandardLog(a.log)()
	storage := newACMEStorage(a.dir)
	logger := zap.New(zapCore{log: a.log})
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic.Load(), nil },
		Logger:           logger,
	})
	magic, issuer := a.configure(cache, storage, logger)
	a.magic.Store(magic)
	a.cache.Store(cache)

	var wg sync.WaitGroup
	wg.Go(func() { a.answer(ctx, issuer) })
	for _, domain := range a.config.Domains {
		wg.Go(func() { a.obtain(ctx, magic, domain) })
	}
	wg.Wait()
	cache.Stop()
	storage.wait() // for renewals, which Stop has told to end
	return nil
}

// configure leaves nothing to the defaults of the package: they are global, and
// would ask at the terminal.
func (a *acmeClient) configure(cache *certmagic.Cache, storage certmagic.Storage, logger *zap.Logger) (*certmagic.Config, *certmagic.ACMEIssuer) {
	magic := certmagic.New(cache, certmagic.Config{
		RenewalWindowRatio: certmagic.DefaultRenewalWindowRatio,
		KeySource:          certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		Storage:            storage,
		OCSP:               certmagic.OCSPConfig{DisableStapling: true}, // CAs give it up, and NETCONF clients do not ask
		OnEvent:            a.note,
		Logger:             logger,
		Issuers:            []certmagic.Issuer{}, // not the default one
	})
	host, _, _ := net.SplitHostPort(a.challenges.Addr().String())
	issuer := certmagic.NewACMEIssuer(magic, certmagic.ACMEIssuer{
		CA:                      a.config.CA,
		Email:                   a.config.Email,
		Agreed:                  true, // the configuration says so
		TrustedRoots:            a.config.Roots,
		DisableTLSALPNChallenge: true,
		// It finds that somebody listens there already: answer does.
		ListenHost:  host,
		AltHTTPPort: a.challenges.Addr().(*net.TCPAddr).Port,
		Logger:      logger,
	})
	magic.Issuers = []certmagic.Issuer{issuer}
	return magic, issuer
}

// note tells of what an operator wants to know; certmagic's own lines are for
// debugging.
func (a *acmeClient) note(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		a.log.Info("a certificate was obtained", "domain", data["identifier"], "renewal", data["renewal"])
	case "cert_failed":
		a.log.Error("a certificate could not be obtained; it is tried again later", "domain", data["identifier"], "renewal", data["renewal"], "error", data["error"])
	}
	return nil
}

// obtain puts the certificate of one domain into the cache, which renews it
// from then on.
func (a *acmeClient) obtain(ctx context.Context, magic *certmagic.Config, domain string) {
	_, err := magic.CacheManagedCertificate(ctx, domain)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.log.Error("the kept certificate cannot be read: a new one is obtained", "domain", domain, "error", err)
		}
		a.log.Warn("there is no certificate from the CA yet: managers are shown the gateway's own", "domain", domain, "ca", a.config.CA)
	}
	for err != nil && ctx.Err() == nil {
		if err = magic.ObtainCertAsync(ctx, domain); err == nil {
			_, err = magic.CacheManagedCertificate(ctx, domain)
		}
		if err != nil && ctx.Err() == nil {
			a.log.Error("a certificate could not be obtained; it is tried again in an hour", "domain", domain, "error", err)
			wait(ctx, acmePause)
		}
	}
	if err == nil && ctx.Err() == nil {
		a.log.Info("the certificate from the CA is in use", "domain", domain)
		// One that was kept may have expired while the gateway was off.
		_ = a.cache.Load().RenewManagedCertificates(ctx)
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// answer serves the challenges until ctx ends.
func (a *acmeClient) answer(ctx context.Context, issuer *certmagic.ACMEIssuer) {
	server := &http.Server{
		Handler:        issuer.HTTPChallengeHandler(http.NotFoundHandler()),
		ReadTimeout:    challengeTimeout,
		WriteTimeout:   challengeTimeout,
		IdleTimeout:    challengeTimeout,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       standardLogger(a.log),
	}
	server.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(a.challenges); ctx.Err() == nil {
		a.log.Error("the challenges of the CA cannot be answered any more", "error", err)
	}
}
