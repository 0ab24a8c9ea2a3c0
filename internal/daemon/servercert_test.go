package daemon

import (
	"fmt"
	"net/http"
	"testing"

	"callhome-gateway/gateway"
	"callhome-gateway/internal/config"
)

// answersChallenges reports whether a client of ACME answers there.
func answersChallenges(port uint16) bool {
	defer http.DefaultClient.CloseIdleConnections()
	response, err := http.Get(fmt.Sprintf("http://%s/.well-known/acme-challenge/x", endpoint(port)))
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusNotFound
}

func TestTheClientOfACMEFollowsAReload(t *testing.T) {
	c := testConfig(t)
	acme := config.ACME{CA: "https://" + endpoint(freePort(t)) + "/dir", Domains: []string{"a.example.net"}, HTTPPort: freePort(t)}
	c.Gateway.TLS, c.TLS.ACME = &gateway.TLSOptions{}, &acme
	r := startReloading(t, c, nil)
	before := r.certificates.acme.Load()
	reload := func(change func(*config.ACME)) *acmeClient {
		t.Helper()
		next := acme
		change(&next)
		r.read(changed(c, func(c *config.Config) { c.TLS.ACME = &next }))
		if _, err := r.Client.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r.certificates.acme.Load()
	}
	if reload(func(*config.ACME) {}) != before {
		t.Error("nothing has changed, and another client runs")
	}
	second := reload(func(a *config.ACME) { a.Domains = []string{"b.example.net"} })
	<-before.ended
	if second == before || second.socket != before.socket || !answersChallenges(acme.HTTPPort) {
		t.Error("another domain is not followed, or its challenges are not answered")
	}
	other := freePort(t)
	third := reload(func(a *config.ACME) { a.HTTPPort = other })
	<-second.ended
	if answers(endpoint(acme.HTTPPort)) || !answersChallenges(other) {
		t.Error("the challenges are not answered on the other port alone")
	}
	r.read(changed(c, func(c *config.Config) { c.TLS.ACME = nil }))
	if _, err := r.Client.Reload(t.Context()); err != nil || r.certificates.acme.Load() != nil {
		t.Errorf("%v", err)
	}
	<-third.ended
	if answers(endpoint(other)) || r.certificates.own.Load() == nil {
		t.Error("without ACME its port answers, or there is no certificate")
	}
}
