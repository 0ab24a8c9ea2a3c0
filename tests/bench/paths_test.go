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
	{"simulator", simulatorPaths},
	{"openssh-netconfd", netconfdPaths},
}

func simulatorPaths(b *testing.B) paths {
	binary, key := buildSimulator(b), harness.NewKey(b)
	south, north := startSplice(b)
	startSimulator(b, binary, south, "--host-key", key.Path)
	g := startGateway(b, nil, nil, harness.UserEntry("fleet", deviceUser, password), harness.SessionEntry("edge-1", key, "fleet", 0))
	startSimulator(b, binary, g.callHome(), "--host-key", key.Path)
	return connectBoth(b, g, harness.Target{Address: north, Username: deviceUser, Password: password})
}

// netconfdPaths has the same call home by splice on both ways: an OpenSSH
// server cannot dial by itself.
func netconfdPaths(b *testing.B) paths {
	device := harness.NewNetconfd(b, harness.NetconfdOptions{})
	south, north := startSplice(b)
	device.CallHome(b, hostOf(south))
	g := startGateway(b, nil, nil, device.UserEntry("fleet"), device.SessionEntry("edge-1", "fleet", 0))
	device.CallHome(b, g.address)
	return connectBoth(b, g, harness.Target{Address: north, Username: device.Username, Password: device.Password})
}

func connectBoth(b *testing.B, g *gateway, direct harness.Target) paths {
	b.Helper()
	g.awaitDevices(b, 1)
	return paths{splice: connect(b, direct), gateway: connect(b, g.target("edge-1")), pid: g.PID()}
}
