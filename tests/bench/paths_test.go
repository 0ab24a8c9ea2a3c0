package bench

import (
	"testing"

	"callhome-gateway/tests/harness"
)

// paths are the two ways of the same manager to the same device. Each has a
// device process of its own where that is a simulator; only one is used at a time.
type paths struct {
	splice, gateway *manager
	pid             int // of the gateway
}

// deviceKinds are the devices to measure with.
var deviceKinds = []struct {
	name    string
	connect func(b *testing.B) paths
}{
	{"simulator", func(b *testing.B) paths { return simulatorPaths(b) }},
	{"simulator-shared", func(b *testing.B) paths { return simulatorPaths(b, `sessions = "shared"`) }},
	{"simulator-tls", func(b *testing.B) paths { return tlsPaths(b, false) }},
	{"simulator-tls-on-tls-splice", func(b *testing.B) paths { return tlsPaths(b, true) }},
	{"openssh-netconfd", func(b *testing.B) paths { return netconfdPaths(b) }},
	{"openssh-netconfd-shared", func(b *testing.B) paths { return netconfdPaths(b, `sessions = "shared"`) }},
}

func simulatorPaths(b *testing.B, session ...string) paths {
	key := harness.NewKey(b)
	south, north := startSplice(b)
	startSimulator(b, south, "--host-key", key.Path)
	g := startGateway(b, nil, nil, harness.UserEntry("fleet", deviceUser, password), harness.SessionEntry("edge-1", key, "fleet", 0, session...))
	startSimulator(b, g.callHome(), "--host-key", key.Path)
	return connectBoth(b, g, harness.Target{Address: north, Username: deviceUser, Password: password})
}

// tlsPaths has TLS on both sides. Past a bare splice the manager speaks it with
// the device itself; the other kind is what ends TLS on both sides, as the
// gateway must.
func tlsPaths(b *testing.B, spliceEndsTLS bool) paths {
	pki, device := harness.NewPKI(b), harness.NewDeviceTLS(b, deviceUser)
	shown := pki.NewServer(b) // which the manager believes on both ways
	flags := []string{"--certificate", shown.Path, "--key", shown.KeyPath}
	var environment []string
	if spliceEndsTLS {
		environment = append(environment, tlsSplice(device.Login, shown))
	}
	south, north := startSplice(b, environment...)
	startTLSSimulator(b, south, device.Logins, flags...)
	g := startGateway(b, nil, northTLS(pki), harness.TLSUserEntry("fleet", device.Login), harness.PinnedEntry("edge-1", shown, "fleet", 0))
	startTLSSimulator(b, g.callHomeTLS(), device.Logins, flags...)
	g.awaitDevices(b, 1)
	direct := harness.TLSTarget{Address: north, Certificate: device.Login, Servers: pki.Servers}
	return paths{splice: connectTLS(b, direct), gateway: connectTLS(b, g.tlsTarget(pki, "edge-1")), pid: g.PID()}
}

// netconfdPaths has the same call home by splice on both ways: an OpenSSH
// server cannot dial by itself.
func netconfdPaths(b *testing.B, session ...string) paths {
	device := harness.NewNetconfd(b, harness.NetconfdOptions{})
	south, north := startSplice(b)
	device.CallHome(b, hostOf(south))
	g := startGateway(b, nil, nil, device.UserEntry("fleet"), device.SessionEntry("edge-1", "fleet", 0, session...))
	device.CallHome(b, g.address)
	return connectBoth(b, g, harness.Target{Address: north, Username: device.Username, Password: device.Password})
}

func connectBoth(b *testing.B, g *gateway, direct harness.Target) paths {
	b.Helper()
	g.awaitDevices(b, 1)
	return paths{splice: connect(b, direct), gateway: connect(b, g.target("edge-1")), pid: g.PID()}
}
