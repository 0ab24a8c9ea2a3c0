package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/internal/devicesim"
	"callhome-gateway/tests/harness"
)

// TestRepliesThroughASharedSessionAreThoseOfTheDevice runs a script on two
// devices that begin alike: on one directly, on the other through the gateway.
func TestRepliesThroughASharedSessionAreThoseOfTheDevice(t *testing.T) {
	t.Parallel()
	kinds := append(sharedKinds(), deviceKind{"simulator with candidate", func(t *testing.T) *harness.Device {
		return harness.NewSimulatedDevice(t, devicesim.Options{Features: everyFeature, Heartbeat: -1})
	}})
	for _, device := range kinds {
		t.Run(device.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, device.make(t), harness.Config{})
			direct := directly(t, device.make(t))
			shared := harness.ConnectTLS(t, l.edge1TLS(), harness.Base10, harness.Base11)
			sameCapabilities(t, direct.ServerHello, shared.ServerHello)
			script := scriptFor(l.device)
			if len(script) < 100 {
				t.Errorf("the script has %d requests only", len(script))
			}
			errors, different := 0, 0
			for i, operation := range script {
				id := fmt.Sprintf("script-%d", i+1)
				want, got := exchange(t, direct, id, operation), exchange(t, shared, id, operation)
				if strings.Contains(want, "rpc-error") {
					errors++
				}
				if want != got {
					different++
					if different <= 3 {
						t.Errorf("%.300s\ndirectly: %.800s\nshared:   %.800s", operation, want, got)
					}
				}
			}
			t.Logf("%d requests, %d errors among the answers, %d different", len(script), errors, different)
			if errors < 20 {
				t.Errorf("%d errors only", errors)
			}
			l.mustBeTheSameLink(t)
		})
	}
}

// directly opens a session with the device that calls home, without a gateway.
func directly(t *testing.T, d *harness.Device) *harness.Session {
	t.Helper()
	if d.TLS == nil {
		r := harness.NewRendezvous(t, harness.CallHomePort)
		d.CallHome(t, r.Address)
		return harness.ConnectTo(t, d, harness.Target{Address: r.Manager, Username: d.Username, Password: d.Password}, harness.Base10, harness.Base11).Session
	}
	r := harness.NewRendezvous(t, harness.CallHomeTLSPort)
	d.CallHome(t, r.Address)
	s, err := connectAnyServer(harness.TLSTarget{Address: r.Manager, Certificate: d.TLS.Login})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var (
	anyTime      = regexp.MustCompile(`last-modified="[^"]*"`) // netconfd's
	anySessionID = regexp.MustCompile(`(session-id>)\s*\d+\s*(<)`)
	capability   = regexp.MustCompile(`<[^/>]*capability>\s*([^<]*?)\s*<`)
)

// exchange returns the reply, without what may differ.
func exchange(t *testing.T, s *harness.Session, id, operation string) string {
	t.Helper()
	if err := s.Send(harness.RPC(id, operation)); err != nil {
		t.Fatal(err)
	}
	reply, err := s.Receive(harness.ReplyTimeout)
	if err != nil {
		t.Fatalf("%s: %v: %s", operation, err, reply)
	}
	return anyTime.ReplaceAllString(anySessionID.ReplaceAllString(reply, "${1}ID$2"), "")
}

// stripped are capabilities that sharing cannot honour.
var stripped = []string{":partial-lock:"}

func sameCapabilities(t *testing.T, direct, shared string) {
	t.Helper()
	list := func(hello string) (all []string) {
		for _, found := range capability.FindAllStringSubmatch(hello, -1) {
			if !slices.ContainsFunc(stripped, func(s string) bool { return strings.Contains(found[1], s) }) {
				all = append(all, found[1])
			}
		}
		return all
	}
	if want, got := list(direct), list(shared); !slices.Equal(want, got) {
		t.Errorf("directly the capabilities are\n%s\nshared they are\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// scriptFor is a script for a device: what is sound, what it refuses, and in
// what ways XML can be written.
func scriptFor(d *harness.Device) []string {
	target := d.Target
	edit := func(attributes, config string) string {
		return "<edit-config><target><" + target + "/></target>" + attributes + "<config>" + config + "</config></edit-config>"
	}
	get := func(inside string) string {
		return "<get-config><source><" + target + "/></source>" + inside + "</get-config>"
	}
	const nc = ` xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation=`
	withOperation := func(operation, value string) string {
		return strings.Replace(d.Edit(value), "<location>", "<location"+nc+`"`+operation+`">`, 1)
	}
	var script []string
	for i := range 10 {
		value := fmt.Sprintf("rack %d", i)
		script = append(script,
			edit("", d.Edit(value)), get(""), get(`<filter type="subtree">`+d.Edit("")+"</filter>"),
			edit("", withOperation("create", value)), edit("", withOperation("replace", value+" again")),
			edit("", withOperation("delete", value)), edit("", withOperation("delete", value)), edit("", withOperation("remove", value)))
	}
	return append(script,
		lockOf(target), lockOf(target), edit("", d.Edit("locked")), get(""), unlockOf(target), unlockOf(target),
		lockOf("startup"), read("startup"), read("nothing"), "<lock/>", "<unlock/>",
		"<get-config/>", "<edit-config/>", edit("<default-operation>wrong</default-operation>", d.Edit("x")),
		edit("<default-operation>none</default-operation>", d.Edit("x")), edit("<error-option>wrong</error-option>", d.Edit("x")),
		edit("<test-option>wrong</test-option>", d.Edit("x")), edit("", `<nothing xmlns="urn:nothing"/>`), edit("", withOperation("wrong", "x")),
		get(`<filter type="wrong"/>`), get(`<filter type="xpath"/>`), get(`<filter type="subtree"/>`), get(`<filter type="subtree"><nothing xmlns="urn:nothing"/></filter>`),
		"<get><filter type=\"subtree\">"+d.Edit("")+"</filter></get>", get("<nothing/>"), "<nothing/>", `<nothing xmlns="urn:nothing"/>`,
		`<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>nothing</identifier></get-schema>`,
		`<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><stream>nothing</stream><wrong/></create-subscription>`,
		"<commit/>", "<discard-changes/>", "<validate><source><"+target+"/></source></validate>", "<validate/>", "<cancel-commit/>",
		copyTo("nothing", target), copyTo(target, "nothing"), "<copy-config/>", "<delete-config/>",
		"<delete-config><target><running/></target></delete-config>",
		edit("", d.Edit("&lt;&amp;&gt;&quot;&apos;&#65;&#x42; äöü€𝄞")), get(""), edit("", d.Edit("<![CDATA[<raw> & ]]]]><![CDATA[>]]>")), get(""),
		edit("", "<!-- a comment -->"+d.Edit("x")+"<?target data?>"), get("<!-- ]]> -->"), edit("", d.Edit("\n\t  \r\n")), get(""),
		edit("", strings.Replace(d.Edit("y"), ">", "\n  >", 1)), get(" \n "),
		strings.NewReplacer("<get-config", `<nc:get-config xmlns:nc="`+harness.BaseNamespace+`"`, "</get-config", "</nc:get-config").Replace(get("")),
		edit("", d.Edit(strings.Repeat("long ", 20000))), get(""))
}
