package devicesim

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"callhome-gateway/internal/netconf"
)

const simXMLNS = ` xmlns="` + NamespaceSim + `"`

func editOf(target, content string) string {
	return `<edit-config><target><` + target + `/></target><config>` + content + `</config></edit-config>`
}

func getConfigOf(source string) string {
	return `<get-config><source><` + source + `/></source></get-config>`
}

func TestHelloAndFraming(t *testing.T) {
	tests := []struct {
		name            string
		device, manager []string
		want            string
	}{
		{"both", nil, nil, "\n#"},
		{"1.0 manager", nil, []string{"1.0"}, "<"},
		{"1.0 device", []string{"1.0"}, nil, "<"},
		{"1.1 alone", []string{"1.1"}, []string{"1.1"}, "\n#"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDevice(t, func(o *Options) { o.Base = tt.device })
			ssh := login(t, serve(t, d))
			c := open(t, ssh, tt.manager...)
			if c.hello.SessionID == 0 {
				t.Error("hello without a session-id")
			}
			contains(t, c.do(`<get/>`), "<uptime>", "<hostname>dev</hostname>", `<stream><name>NETCONF</name>`)
			c.ok(`<close-session/>`)
			c.gone()
		})
	}
}

func TestFirstSession(t *testing.T) {
	_, client, c := connect(t, func(o *Options) { o.FirstSession = 1 << 31 })
	if first, second := c.hello.SessionID, open(t, client).hello.SessionID; first != 1<<31 || second != first+1 {
		t.Errorf("session-ids %d and %d", first, second)
	}
}

func TestHelloSize(t *testing.T) {
	for _, size := range []int{1000, 1037, 4096, 40 << 10} {
		_, _, c := connect(t, func(o *Options) { o.HelloSize = size })
		if len(c.hello.Raw) != size {
			t.Errorf("hello of %d bytes, want %d", len(c.hello.Raw), size)
		}
	}
}

func TestSilentHello(t *testing.T) {
	d := newDevice(t, func(o *Options) { o.SilentHello = true })
	c := subsystem(t, login(t, serve(t, d)))
	c.write(string((&netconf.Hello{Capabilities: []string{netconf.CapabilityBase10}}).Document()))
	_ = c.input.Close() // the device reads on, and sees the end
	if m, err := c.Next(); err == nil {
		t.Fatalf("got a %s", m.Head.Kind)
	}
}

func TestEditAndGet(t *testing.T) {
	d, _, c := connect(t, nil)
	c.ok(editOf(running, `<system`+simXMLNS+`><location>here</location></system><x xmlns="urn:x">1</x>`))
	contains(t, c.do(getConfigOf(running)), "<hostname>dev</hostname>", "<location>here</location>", `<x xmlns="urn:x">1</x>`)
	contains(t, d.Config(), "<location>here</location>")
	filter := `<get-config><source><running/></source><filter type="subtree">%s</filter></get-config>`
	contains(t, c.do(fmt.Sprintf(filter, `<x xmlns="urn:x"/>`)), `>`+`<x xmlns="urn:x">1</x></data>`)
	contains(t, c.do(fmt.Sprintf(filter, ``)), `<data xmlns="`+netconf.NamespaceBase+`"/>`)
	c.ok(`<copy-config><target><running/></target><source><config><y xmlns="urn:y"/></config></source></copy-config>`)
	if got := d.Config(); got != `<y xmlns="urn:y"/>` {
		t.Errorf("after copy-config: %s", got)
	}
}

func TestErrors(t *testing.T) {
	_, _, c := connect(t, nil)
	tests := []struct{ operation, tag, info string }{
		{`<reboot/>`, "operation-not-supported", ""},
		{`<get xmlns="urn:x"/>`, "operation-not-supported", ""},
		{`<get/><get/>`, "unknown-element", "<bad-element>get</bad-element>"},
		{`<get><colour/></get>`, "unknown-element", "<bad-element>colour</bad-element>"},
		{`<get><filter type="xpath" select="/"/></get>`, "bad-attribute", "<bad-attribute>type</bad-attribute>"},
		{`<get-config/>`, "missing-element", "<bad-element>source</bad-element>"},
		{getConfigOf("startup"), "unknown-element", "<bad-element>startup</bad-element>"},
		{getConfigOf(candidate), "unknown-element", "<bad-element>candidate</bad-element>"},
		{`<edit-config><target><running/></target></edit-config>`, "missing-element", "<bad-element>config</bad-element>"},
		{`<edit-config><target><running/></target><default-operation>twist</default-operation><config/></edit-config>`, "bad-element", ""},
		{`<edit-config><target><running/></target><error-option>continue-on-error</error-option><config/></edit-config>`, "operation-not-supported", ""},
		{editOf(running, `<a xmlns:nc="`+netconf.NamespaceBase+`" nc:operation="delete"/>`), "data-missing", ""},
		{`<copy-config><target><running/></target><source><running/></source></copy-config>`, "invalid-value", ""},
		{`<delete-config><target><running/></target></delete-config>`, "operation-not-supported", ""},
		{`<unlock><target><running/></target></unlock>`, "operation-failed", ""},
		{`<commit/>`, "operation-not-supported", ""},
		{`<kill-session/>`, "missing-element", "<bad-element>session-id</bad-element>"},
		{`<kill-session><session-id>x</session-id></kill-session>`, "bad-element", ""},
		{`<kill-session><session-id>4000000</session-id></kill-session>`, "invalid-value", ""},
		{`<kill-session><session-id>1</session-id></kill-session>`, "invalid-value", ""}, // itself
		{`<create-subscription xmlns="` + netconf.NamespaceNotification + `"><stream>X</stream></create-subscription>`, "invalid-value", ""},
		{`<blob` + simXMLNS + `/>`, "bad-element", ""},
		{`<sleep` + simXMLNS + `><milliseconds>-1</milliseconds></sleep>`, "bad-element", ""},
	}
	for _, tt := range tests {
		contains(t, c.fails(tt.operation, tt.tag), tt.info)
	}
	c.write(`<rpc xmlns="` + netconf.NamespaceBase + `"><get/></rpc>`)
	contains(t, c.read(), "missing-attribute", "<bad-attribute>message-id</bad-attribute>")
	c.ok(`<close-session/>`)
}

func TestReplyCarriesAttributes(t *testing.T) {
	_, _, c := connect(t, nil)
	for _, operation := range []string{"<nc:get/>", "<nc:close-session/>"} {
		c.write(`<nc:rpc xmlns:nc="` + netconf.NamespaceBase + `" xmlns:v="urn:v" v:user='"fred"' nc:message-id="no" message-id=" 7&lt;">` + operation + `</nc:rpc>`)
		contains(t, c.read(), `<nc:rpc-reply `, `v:user='"fred"'`, `message-id=" 7&lt;"`, `</nc:rpc-reply>`)
	}
}

func TestLocks(t *testing.T) {
	_, ssh, first := connect(t, nil)
	second := open(t, ssh)
	lock, unlock := `<lock><target><running/></target></lock>`, `<unlock><target><running/></target></unlock>`
	holder := func(c *client) string { return fmt.Sprintf("<session-id>%d</session-id>", c.hello.SessionID) }

	first.ok(lock)
	contains(t, second.fails(lock, "lock-denied"), holder(first))
	contains(t, first.fails(lock, "lock-denied"), holder(first))
	second.fails(editOf(running, `<x/>`), "in-use")
	second.fails(unlock, "operation-failed")
	first.ok(editOf(running, `<x/>`), unlock)
	second.ok(lock)

	// A lock goes with its session.
	second.ok(`<close-session/>`)
	second.gone()
	third := open(t, ssh)
	third.ok(lock)
	first.ok(`<kill-session><session-id>` + strconv.Itoa(int(third.hello.SessionID)) + `</session-id></kill-session>`)
	first.ok(lock)
	third.gone()
}

func TestLockIsReleasedWhenTheChannelCloses(t *testing.T) {
	ended := make(chan uint32, 1)
	_, ssh, first := connect(t, func(o *Options) {
		o.OnSession = func(id uint32, up bool) {
			if !up {
				ended <- id
			}
		}
	})
	second := open(t, ssh)
	lock := `<lock><target><running/></target></lock>`
	second.ok(lock)
	_ = second.Close()
	if id := within(t, ended); id != second.hello.SessionID {
		t.Errorf("session %d ended, want %d", id, second.hello.SessionID)
	}
	first.ok(lock)
}

func TestCandidate(t *testing.T) {
	d, ssh, c := connect(t, func(o *Options) { o.Features = Features{Candidate: true, Validate: true} })
	before := d.Config()
	c.fails(editOf(running, `<x/>`), "operation-not-supported")
	c.ok(editOf(candidate, `<x xmlns="urn:x"/>`), `<validate><source><candidate/></source></validate>`)
	if d.Config() != before {
		t.Error("running changed before the commit")
	}
	contains(t, c.do(getConfigOf(candidate)), `<x xmlns="urn:x"/>`)
	contains(t, c.fails(`<lock><target><candidate/></target></lock>`, "lock-denied"), "<session-id>0</session-id>")
	c.fails(`<commit><confirmed/></commit>`, "unknown-element")
	c.ok(`<discard-changes/>`, `<lock><target><candidate/></target></lock>`, editOf(candidate, `<y xmlns="urn:y"/>`))

	other := open(t, ssh)
	other.fails(`<commit/>`, "in-use")
	other.fails(`<discard-changes/>`, "in-use")
	c.ok(`<commit/>`)
	contains(t, d.Config(), `<y xmlns="urn:y"/>`)

	testOnly := strings.Replace(editOf(candidate, `<z xmlns="urn:z"/>`), `</target>`, `</target><test-option>test-only</test-option>`, 1)
	c.ok(testOnly, editOf(candidate, `<w xmlns="urn:w"/>`), `<unlock><target><candidate/></target></unlock>`)
	if got := c.do(getConfigOf(candidate)); strings.Contains(got, "urn:w") || strings.Contains(got, "urn:z") {
		t.Errorf("unlock kept changes: %s", got)
	}
}

func TestBlobStreams(t *testing.T) {
	for _, version := range []string{"1.0", "1.1"} {
		d := newDevice(t, nil)
		c := open(t, login(t, serve(t, d)), version)
		const size = 5<<20 + 3
		c.send(`<blob` + simXMLNS + `><size>` + strconv.Itoa(size) + `</size></blob>`)
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, m.Body)
		if err != nil || n < size || n > size+1000 {
			t.Errorf("a blob of %d bytes came as %d, %v", size, n, err)
		}
		filter := `<filter><blob` + simXMLNS + `><size>100000</size></blob></filter>`
		data := c.do(`<get-config><source><running/></source>` + filter + `</get-config>`)
		contains(t, data, `<data xmlns="`+netconf.NamespaceBase+`"><blob`)
		if len(data) < 100000 {
			t.Errorf("get-config of 100000 bytes gave %d", len(data))
		}
		contains(t, c.do(`<echo`+simXMLNS+`><x xmlns="urn:x">&lt;hi&gt;</x></echo>`), `><x xmlns="urn:x">&lt;hi&gt;</x></echo>`)
	}
}

func TestMalformedMessagesEndTheSession(t *testing.T) {
	rpc := `<rpc xmlns="` + netconf.NamespaceBase + `" message-id="1">`
	for _, doc := range []string{
		"hello?",
		rpc + "<get></rpc>",
		rpc + "<get/></rpc><x/>",
		"<!DOCTYPE x>" + rpc + "<get/></rpc>",
		"<rpc message-id='1'><get/></rpc>",
		"<x/>",
		rpc + "\xff</rpc>",
	} {
		t.Run(doc, func(t *testing.T) {
			got := make(chan string, 1)
			_, ssh, c := connect(t, func(o *Options) {
				o.OnMessage = func(_ uint32, doc []byte) { got <- string(doc) }
			})
			c.write(doc)
			if heard := within(t, got); heard != doc {
				t.Errorf("the hook was given %q", heard)
			}
			c.gone()
			open(t, ssh) // the connection goes on
		})
	}
}

func TestTooLongMessage(t *testing.T) {
	_, _, c := connect(t, func(o *Options) { o.MaxMessage = 1000 })
	c.send(`<echo` + simXMLNS + `>` + strings.Repeat("x", 1000) + `</echo>`)
	c.gone()
}
