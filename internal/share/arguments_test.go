package share

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"callhome-gateway/internal/netconf"
)

func TestArguments(t *testing.T) {
	const x = ` xmlns:x="urn:x"`
	for content, want := range map[string]operation{
		"<commit/>": {timeout: confirmTimeout},
		"<commit> <confirmed/> <confirm-timeout> 30\n</confirm-timeout><persist>p</persist></commit>":                                                            {confirmed: true, timeout: 30 * time.Second, persist: true},
		"<commit><confirm-timeout>soon</confirm-timeout></commit>":                                                                                               {timeout: confirmTimeout},
		"<commit><confirm-timeout>4294967295</confirm-timeout></commit>":                                                                                         {timeout: 4294967295 * time.Second},
		"<commit><persist-id/></commit>":                                                                                                                         {timeout: confirmTimeout, persistID: true},
		"<commit><x:confirmer" + x + "><confirmed/></x:confirmer></commit>":                                                                                      {timeout: confirmTimeout},
		"<cancel-commit><persist-id>p</persist-id></cancel-commit>":                                                                                              {timeout: confirmTimeout, persistID: true},
		"<copy-config><source><candidate/></source><target><running/></target></copy-config>":                                                                    {target: running, source: candidate},
		"<copy-config><target><running/></target><source><config><a/></config></source></copy-config>":                                                           {target: running, source: "config"},
		"<copy-config><target><running/></target><source><url>u</url></source></copy-config>":                                                                    {target: running, source: "url"},
		`<lock><target><n:datastore xmlns:n="` + spaceNMDA + `" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores">ds:running</n:datastore></target></lock>`: {target: running},
		`<unlock><target><datastore xmlns="` + spaceNMDA + `">startup</datastore></target></unlock>`:                                                             {target: startup},
		`<get><filter/></get>`: {},
	} {
		for _, seekable := range []bool{true, false} {
			m := message(rpc(1, content))
			if !seekable {
				m.Body = struct{ io.Reader }{m.Body}
				m.Size = -1
			}
			got, refusal := understand(m)
			if refusal != nil {
				t.Errorf("%s: %s", content, refusal.Message)
				continue
			}
			want.class, want.name = got.class, got.name
			if *got != want {
				t.Errorf("%s:\n got %+v\nwant %+v", content, *got, want)
			}
			if doc, err := io.ReadAll(m.Body); err != nil || string(doc) != rpc(1, content) {
				t.Errorf("%s: the body is %s, %v", content, doc, err)
			}
		}
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	for content, tag := range map[string]string{
		"<commit><confirmed/><confirmed/></commit>":                                                                                             "operation-failed",
		`<commit><persist-id xmlns="">x</persist-id></commit>`:                                                                                  "operation-failed",
		"<copy-config><source><candidate/></source><source><running/></source><target><running/></target></copy-config>":                        "operation-failed",
		"<commit><!-- " + strings.Repeat("x", maxArguments) + " --></commit>":                                                                   "too-big",
		"<copy-config><target><running/></target><!-- " + strings.Repeat("x", maxArguments) + " --><source><candidate/></source></copy-config>": "too-big",
		`<create-subscription xmlns="` + spaceNotification + `"><stream/></create-subscription>`:                                                "operation-failed",
	} {
		if _, refusal := understand(message(rpc(1, content))); refusal == nil || refusal.Tag != tag {
			t.Errorf("%.100s: got %+v", content, refusal)
		}
	}
}

// TestIdenticalSubscriptions has pairs that mean the same, and pairs that do
// not, or might not.
func TestIdenticalSubscriptions(t *testing.T) {
	const stream = "<n:stream>NETCONF</n:stream>"
	plain := `<rpc xmlns="` + spaceBase + `" message-id="1"><create-subscription xmlns="` + spaceNotification + `">%s</create-subscription></rpc>`
	prefixed := `<m:rpc xmlns:m="` + spaceBase + `" message-id="2"><n:create-subscription xmlns:n="` + spaceNotification + `">%s</n:create-subscription></m:rpc>`
	other := `<rpc xmlns="` + spaceBase + `" xmlns:a="urn:other" message-id="1"><create-subscription xmlns="` + spaceNotification + `">%s</create-subscription></rpc>`
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{fmt.Sprintf(plain, ""), fmt.Sprintf(prefixed, stream), true},
		{fmt.Sprintf(plain, "<stream>\nNETCONF </stream>"), fmt.Sprintf(prefixed, "<!-- -->"), true},
		{fmt.Sprintf(plain, "<stream>x</stream>"), fmt.Sprintf(prefixed, stream), false},
		{fmt.Sprintf(plain, `<filter type="subtree"><a xmlns="urn:a"> <b/></a></filter>`),
			fmt.Sprintf(prefixed, `<n:filter type='subtree'><x:a xmlns:x="urn:a"><x:b></x:b></x:a></n:filter>`), false}, // namespaces have colons
		{fmt.Sprintf(plain, `<filter type="subtree"><a xmlns="a"> <b/></a></filter>`),
			fmt.Sprintf(plain, `<filter type='subtree'><a xmlns="a"><b></b></a></filter>`), true},
		{fmt.Sprintf(plain, `<filter type="xpath" select="/a:b"/>`), fmt.Sprintf(plain, `<filter select="/a:b" type="xpath"/>`), true},
		{fmt.Sprintf(plain, `<filter type="xpath" select="/a:b"/>`), fmt.Sprintf(other, `<filter type="xpath" select="/a:b"/>`), false},
		{fmt.Sprintf(plain, `<filter><a/></filter>`), fmt.Sprintf(plain, `<filter><b/></filter>`), false},
		{fmt.Sprintf(plain, `<filter><a/><b/></filter>`), fmt.Sprintf(plain, `<filter><a><b/></a></filter>`), false},
		{fmt.Sprintf(plain, `<filter><a>b</a></filter>`), fmt.Sprintf(plain, `<filter><a/>b</filter>`), false},
		{fmt.Sprintf(plain, `<period>1</period>`), fmt.Sprintf(plain, ``), false},
	} {
		a, refusedA := understand(message(test.a))
		b, refusedB := understand(message(test.b))
		if refusedA != nil || refusedB != nil {
			t.Fatal(refusedA, refusedB)
		}
		if (a.events == b.events) != test.same {
			t.Errorf("%s\n%s\ngot %s\n%s", test.a, test.b, a.events, b.events)
		}
	}
}

func TestClassesAreByNamespace(t *testing.T) {
	for name, want := range map[netconf.Name]class{
		{Space: spaceBase, Local: "lock"}:                                                   lock,
		{Space: "urn:vendor", Local: "lock"}:                                                bound,
		{Space: "", Local: "request-end-session"}:                                           closeSession,
		{Space: "urn:vendor", Local: "close-session"}:                                       closeSession, // not all devices look at it
		{Space: "", Local: "kill-session"}:                                                  killSession,
		{Space: "", Local: "lock-configuration"}:                                            bound,
		{Space: "urn:vendor", Local: "get-anything"}:                                        harmless,
		{Space: "urn:vendor", Local: "get"}:                                                 unknown,
		{Space: spaceNMDA, Local: "get-data"}:                                               harmless,
		{Space: "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring", Local: "get-schema"}: harmless,
		{}: unknown,
	} {
		if got := classify(name); got != want {
			t.Errorf("%v: got %d, want %d", name, got, want)
		}
	}
}
