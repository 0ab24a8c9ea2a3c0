package devicesim

import (
	"strings"
	"testing"

	"callhome-gateway/internal/netconf"

	"golang.org/x/crypto/ssh"
)

func capability(name string) string { return "urn:ietf:params:netconf:capability:" + name }

// confirming makes a device with confirmed commits of a version, and a channel
// that tells of each that is taken back.
func confirming(t *testing.T, version string) (*Device, *ssh.Client, *client, chan struct{}) {
	t.Helper()
	reverted := make(chan struct{}, 10)
	d, ssh, c := connect(t, func(o *Options) {
		o.Features = Features{Candidate: true, ConfirmedCommit: version}
		o.OnRevert = func() { reverted <- struct{}{} }
	})
	return d, ssh, c, reverted
}

const (
	editX = `<edit-config><target><candidate/></target><config><x xmlns="urn:x"/></config></edit-config>`
	editY = `<edit-config><target><candidate/></target><config><y xmlns="urn:y"/></config></edit-config>`
)

func has(d *Device, part string) bool { return strings.Contains(d.Config(), part) }

func TestConfirmedCommit(t *testing.T) {
	d, ssh, c, _ := confirming(t, "1.1")
	if !c.hello.Has(capability("confirmed-commit:1.1")) {
		t.Error("it is not advertised")
	}
	c.ok(editX, `<commit><confirmed/></commit>`)
	if !has(d, "urn:x") {
		t.Error("the commit did not take place")
	}
	other := open(t, ssh)
	other.fails(`<commit/>`, "in-use")
	other.fails(`<cancel-commit/>`, "in-use")
	if info := other.fails(`<lock><target><running/></target></lock>`, "lock-denied"); !strings.Contains(info, "<session-id>1<") {
		t.Errorf("running is held by %s", info)
	}
	c.ok(`<commit/>`, `<close-session/>`)
	c.gone()
	if !has(d, "urn:x") {
		t.Error("a confirmed commit was taken back")
	}
	other.fails(`<cancel-commit/>`, "operation-failed")
}

func TestConfirmedCommitIsTakenBack(t *testing.T) {
	tests := map[string]func(*client){
		"by cancel-commit": func(c *client) { c.ok(`<cancel-commit/>`) },
		"with its session": func(c *client) { c.ok(`<close-session/>`) },
		"with its channel": func(c *client) { _ = c.Close() },
		"in time":          func(c *client) { c.ok(`<commit><confirmed/><confirm-timeout>1</confirm-timeout></commit>`) },
		"with the follow-up, to the start": func(c *client) {
			c.ok(editY, `<commit><confirmed/></commit>`, `<cancel-commit/>`)
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			d, _, c, reverted := confirming(t, "1.1")
			before := d.Config()
			c.ok(editX, `<commit><confirmed/></commit>`)
			end(c)
			within(t, reverted)
			if got := d.Config(); got != before {
				t.Errorf("running is\n%s\nwant\n%s", got, before)
			}
		})
	}
}

func TestPersistentCommit(t *testing.T) {
	d, ssh, c, reverted := confirming(t, "1.1")
	const persist = `<commit><confirmed/><persist>token</persist></commit>`
	c.fails(`<commit><persist-id>token</persist-id></commit>`, "invalid-value")
	c.ok(editX, persist, `<close-session/>`)
	c.gone()
	other := open(t, ssh)
	if !has(d, "urn:x") {
		t.Error("it did not survive its session")
	}
	other.fails(`<commit/>`, "in-use")
	other.fails(`<commit><persist-id>other</persist-id></commit>`, "invalid-value")
	other.fails(`<cancel-commit><persist-id>other</persist-id></cancel-commit>`, "invalid-value")
	other.ok(`<commit><confirmed/><persist-id>token</persist-id></commit>`) // prolonged, and still persistent
	other.ok(`<commit><persist-id>token</persist-id></commit>`)

	other.ok(editY, persist, `<cancel-commit><persist-id>token</persist-id></cancel-commit>`)
	within(t, reverted)
	if !has(d, "urn:x") || has(d, "urn:y") {
		t.Errorf("running is %s", d.Config())
	}
}

// TestConfirmedCommit10 is that of RFC 4741: any session confirms, and none
// can persist or cancel. Of 1.1 that is what sessions with base:1.0 have.
func TestConfirmedCommit10(t *testing.T) {
	tests := map[string]struct {
		version string
		base    []string
	}{"1.0": {"1.0", nil}, "1.1 with base:1.0": {"1.1", []string{"1.0"}}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, ssh, first, reverted := confirming(t, tt.version)
			c := open(t, ssh, tt.base...)
			c.fails(`<commit><confirmed/><persist>x</persist></commit>`, "unknown-element")
			c.fails(`<cancel-commit/>`, "operation-not-supported")
			c.ok(editX, `<commit><confirmed/><confirm-timeout>600</confirm-timeout></commit>`, `<close-session/>`)
			within(t, reverted)
			if has(d, "urn:x") {
				t.Error("it survived its session")
			}
			if tt.version == "1.0" {
				third := open(t, ssh)
				third.ok(editX, `<commit><confirmed/></commit>`)
				first.ok(`<commit/>`)
			}
		})
	}
}

func TestCommitErrors(t *testing.T) {
	_, _, c, _ := confirming(t, "1.1")
	c.fails(`<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>`, "bad-element")
	c.fails(`<commit><confirm-timeout>1</confirm-timeout></commit>`, "missing-element")
	c.fails(`<commit><persist>x</persist></commit>`, "missing-element")
	c.fails(`<commit><soon/></commit>`, "unknown-element")
}

func TestStartup(t *testing.T) {
	d, ssh, c := connect(t, func(o *Options) { o.Startup = true })
	if !c.hello.Has(capability("startup:1.0")) || !c.hello.Has(capability("writable-running:1.0")) {
		t.Errorf("capabilities %v", c.hello.Capabilities)
	}
	copyRunning := `<copy-config><target><startup/></target><source><running/></source></copy-config>`
	before := d.Config()
	c.ok(editOf(running, `<x xmlns="urn:x"/>`))
	contains(t, c.do(getConfigOf(startup)), before+"</data>")
	c.ok(copyRunning)
	contains(t, c.do(getConfigOf(startup)), d.Config()+"</data>")
	other := open(t, ssh)
	other.ok(`<lock><target><startup/></target></lock>`, `<lock><target><running/></target></lock>`)
	c.fails(copyRunning, "in-use")
	c.fails(`<delete-config><target><startup/></target></delete-config>`, "in-use")
	other.ok(`<delete-config><target><startup/></target></delete-config>`)
	contains(t, c.do(getConfigOf(startup)), `<data xmlns="`+netconf.NamespaceBase+`"/>`)
}

func TestFeaturesShowInTheHello(t *testing.T) {
	_, _, c := connect(t, func(o *Options) {
		o.Features = Features{Candidate: true, WritableRunning: true, Validate: true, Advertise: []string{"urn:partial-lock"}}
	})
	for _, want := range []string{"candidate:1.0", "writable-running:1.0", "validate:1.1", "interleave:1.0"} {
		if !c.hello.Has(capability(want)) {
			t.Errorf("%s is not advertised", want)
		}
	}
	if !c.hello.Has("urn:partial-lock") || c.hello.Has(capability("startup:1.0")) {
		t.Errorf("capabilities %v", c.hello.Capabilities)
	}
	c.ok(editOf(running, `<x xmlns="urn:x"/>`))
}

func TestNoValidate(t *testing.T) {
	_, _, c := connect(t, nil)
	c.fails(`<validate><source><running/></source></validate>`, "operation-not-supported")
	testOnly := strings.Replace(editOf(running, `<z xmlns="urn:z"/>`), `</target>`, `</target><test-option>set</test-option>`, 1)
	c.fails(testOnly, "unknown-element")
}
