package gateway

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
)

// testPolicy is a manager whose access a test sets.
type testPolicy struct {
	current atomic.Pointer[auth.Access]
	mu      sync.Mutex // guards the following
	said    []string
}

func newTestPolicy() *testPolicy {
	p := &testPolicy{}
	p.current.Store(&auth.Access{})
	return p
}

func (p *testPolicy) access() *auth.Access { return p.current.Load() }

func (p *testPolicy) logDenied(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, what)
}

func (p *testPolicy) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said
}

// in returns an element in a namespace.
func in(space, name, content string) string {
	return fmt.Sprintf(`<%s xmlns=%q>%s</%s>`, name, space, content, name)
}

const monitoring = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"

// permitted are operations that a read-only manager may ask for.
var permitted = []string{
	"<get/>",
	"<get-config><source><running/></source></get-config>",
	"<get-config><source><running/></source><filter><edit-config/></filter></get-config>",
	in(monitoring, "get-schema", "<identifier>ietf-inet-types</identifier>"),
	in(netconf.NamespaceNMDA, "get-data", "<datastore>operational</datastore>"),
	in(netconf.NamespaceNotification, "create-subscription", ""),
	"<!-- edit-config --><?edit-config?> <get/>\n<!-- edit-config -->",
	"<!-- " + strings.Repeat("x", 200<<10) + " --><get/>",
	"<![CDATA[<edit-config/>]]><get/>",
	"&lt;edit-config/&gt;<get/>",
	`<x:get xmlns:x="` + netconf.NamespaceBase + `" xmlns="urn:example"/>`,
	`<get xmlns='urn:ietf:params:xml:ns:netconf:base:1&#46;0'/>`,
	"<get\n\t>\r\n</get\n>",
	`<get edit-config="edit-config"/>`,
	"<close-session/>",
}

// withheld are operations that it may not. Where no other tag is given, the
// answer is access-denied.
var withheld = map[string]string{
	"<edit-config><target><running/></target><config/></edit-config>":                                     "",
	"<copy-config><target><startup/></target><source><running/></source></copy-config>":                   "",
	"<copy-config><target><url>ftp://192.0.2.1/x</url></target><source><running/></source></copy-config>": "",
	"<delete-config><target><startup/></target></delete-config>":                                          "",
	"<lock><target><running/></target></lock>":                                                            "",
	"<unlock><target><running/></target></unlock>":                                                        "",
	"<kill-session><session-id>9</session-id></kill-session>":                                             "",
	"<kill-session><session-id>1</session-id></kill-session>":                                             "",
	"<commit/>":          "",
	"<cancel-commit/>":   "",
	"<discard-changes/>": "",
	"<validate><source><candidate/></source></validate>":                                               "",
	"<get-config><source><url>http://192.0.2.1/</url></source></get-config>":                           "",
	`<get-config><source><url xmlns="urn:example">http://192.0.2.1/</url></source></get-config>`:       "",
	"<get-config><source><running/></source><source><url>x</url></source></get-config>":                "operation-failed",
	"<get-config><source><running/><url>x</url></source></get-config>":                                 "operation-failed",
	in(netconf.NamespaceNMDA, "edit-data", "<datastore>running</datastore>"):                           "",
	in("urn:ietf:params:xml:ns:netconf:partial-lock:1.0", "partial-lock", ""):                          "",
	in("urn:ietf:params:xml:ns:yang:1", "action", "<reset/>"):                                          "",
	in("urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications", "kill-subscription", "<id>1</id>"): "",
	in("urn:example:box", "reboot", ""):                                                                "",

	// Names that are not what they look like.
	in("urn:example", "get", ""):                               "",
	in("", "get", ""):                                          "",
	in("", "edit-config", ""):                                  "",
	in("urn:example", "edit-config", ""):                       "",
	in("urn:example", "close-session", ""):                     "",
	in(netconf.NamespaceBase, "create-subscription", ""):       "",
	in(netconf.NamespaceNMDA, "get", ""):                       "",
	in(strings.ToUpper(netconf.NamespaceBase), "get", ""):      "",
	in(netconf.NamespaceBase+"/", "get", ""):                   "",
	`<x:edit-config xmlns:x="` + netconf.NamespaceBase + `"/>`: "",
	`<x:get xmlns:x="urn:example"><get/></x:get>`:              "",
	"<Get/>":                               "",
	"<GET-CONFIG/>":                        "",
	"<\uff47\uff45\uff54/>":                "",
	"<ge\u0301t/>":                         "",
	"<g\u00e9t/>":                          "",
	"<get-configuration/>":                 "",
	"<" + strings.Repeat("g", 1024) + "/>": "",

	// Where parsers may differ on which element is the operation.
	"":                                     "",
	"<!-- <get/> -->":                      "",
	"<![CDATA[<get/>]]><edit-config/>":     "",
	"&lt;get/&gt;<edit-config/>":           "",
	"<?get?><!-- <get/> --><edit-config/>": "",
	"<get/><edit-config/>":                 "operation-failed",
	"<edit-config/><get/>":                 "",
	"<get/><get/>":                         "operation-failed",
	"<wrapper><edit-config/></wrapper>":    "",
	"<wrapper><get/></wrapper>":            "",
	"<!-- " + strings.Repeat("x", 200<<10) + " --><edit-config/>": "",
	"<edit-config\n\t>\r\n</edit-config\n>":                       "",
}

// A read-only manager's requests reach the device or are answered, whatever
// the framing on either side, and the session goes on.
func TestReadOnlyManager(t *testing.T) {
	for _, device := range []netconf.Framing{simple, chunked} {
		for _, manager := range []netconf.Framing{simple, chunked} {
			t.Run(fmt.Sprintf("%v manager, %v device", manager, device), func(t *testing.T) {
				r := newRig(t, Options{}, device).open(manager)
				r.allowed.current.Store(&auth.Access{ReadOnly: true})
				for operation, tag := range withheld {
					r.mustDeny(operation, tag)
				}
				for _, operation := range permitted {
					r.mustPass(operation)
				}
			})
		}
	}
}

func (r *rig) mustPass(operation string) {
	r.t.Helper()
	request := rpc(1, operation)
	r.send(r.manager, request)
	if got := read(r.t, r.device); got != request {
		r.t.Errorf("of %.200q the device got %.200q", request, got)
	}
	r.send(r.device, reply(1, "<ok/>"))
	if got := read(r.t, r.manager); got != reply(1, "<ok/>") {
		r.t.Errorf("%.200q: the manager got %.300q", operation, got)
	}
}

// mustDeny wants a request answered by the gateway. That the device got none of
// it shows when it gets the next.
func (r *rig) mustDeny(operation, tag string) {
	r.t.Helper()
	if tag == "" {
		tag = "access-denied"
	}
	request := strings.Replace(rpc(7, operation), "<rpc", `<rpc x:attr="&lt;1" xmlns:x="urn:x"`, 1)
	r.send(r.manager, request)
	got := read(r.t, r.manager)
	for _, want := range []string{
		`message-id="7"`, `x:attr="&lt;1"`, "<error-type>protocol</error-type>",
		"<error-tag>" + tag + "</error-tag>", "<error-severity>error</error-severity>",
	} {
		if !strings.Contains(got, want) {
			r.t.Errorf("%.200q: the answer has no %s: %.500q", operation, want, got)
		}
	}
}

// Every way to cut what the manager sends comes to the same.
func TestAccessWithMessagesCutAnywhere(t *testing.T) {
	for _, framing := range []netconf.Framing{simple, chunked} {
		t.Run(framing.String(), func(t *testing.T) {
			r := newRig(t, Options{}, chunked).open(framing)
			r.allowed.current.Store(&auth.Access{ReadOnly: true})
			bad, good := rpc(1, "<!----><x:commit xmlns:x=\""+netconf.NamespaceBase+"\"/>"), rpc(2, "<get/>")
			for cut := 1; cut < len(bad); cut++ {
				r.async(func() {
					if framing == chunked {
						fmt.Fprintf(r.wire, "\n#%d\n%s\n#%d\n%s\n##\n", cut, bad[:cut], len(bad)-cut, bad[cut:])
						return
					}
					for _, part := range []string{bad[:cut], bad[cut:] + "]]>]]>"} {
						fmt.Fprint(r.wire, part)
					}
				})
				if got := read(t, r.manager); !strings.Contains(got, "access-denied") || !strings.Contains(got, `message-id="1"`) {
					t.Fatalf("cut at %d: the manager got %q", cut, got)
				}
				r.send(r.manager, good)
				if got := read(t, r.device); got != good {
					t.Fatalf("cut at %d: the device got %q", cut, got)
				}
				r.send(r.device, reply(2, "<ok/>"))
				read(t, r.manager)
			}
		})
	}
}

// What no XML parser may read, and what may be read in two ways, ends a
// read-only manager's session as it ends any other.
func TestUnsoundMessagesOfAReadOnlyManager(t *testing.T) {
	for name, doc := range map[string]string{
		"UTF-16 without a mark":      utf16(rpc(1, "<edit-config/>")),
		"UTF-16 with a mark":         "\xff\xfe" + utf16(rpc(1, "<edit-config/>")),
		"a byte-order mark":          "\ufeff" + rpc(1, "<get/>"),
		"another encoding":           `<?xml version="1.0" encoding="UTF-7"?>` + rpc(1, "<get/>"),
		"EBCDIC":                     `<?xml version="1.0" encoding="IBM037"?>` + rpc(1, "<get/>"),
		"XML 1.1":                    `<?xml version="1.1"?>` + rpc(1, "<get/>"),
		"a DOCTYPE":                  `<!DOCTYPE rpc [<!ENTITY e "<edit-config/>">]>` + rpc(1, "&e;"),
		"a reference in a name":      rpc(1, "<ge&#116;/>"),
		"a namespace declared twice": `<rpc xmlns="` + netconf.NamespaceBase + `" xmlns="urn:x"><get/></rpc>`,
		"a prefix declared twice":    `<rpc xmlns="` + netconf.NamespaceBase + `"><x:get xmlns:x="urn:x" xmlns:x="` + netconf.NamespaceBase + `"/></rpc>`,
		"an undeclared prefix":       rpc(1, "<x:get/>"),
		"a prefix of no namespace":   rpc(1, `<x:get xmlns:x=""/>`),
		"white space in a namespace": rpc(1, `<get xmlns=" `+netconf.NamespaceBase+` "/>`),
		"white space before a name":  rpc(1, "< get/>"),
		"two colons":                 rpc(1, `<x:x:get xmlns:x="`+netconf.NamespaceBase+`"/>`),
		"a long name":                rpc(1, "<"+strings.Repeat("g", 1025)+"/>"),
		"a NUL":                      rpc(1, "<get\x00/>"),
		"half a comment":             rpc(1, "<!-- -- --><get/>"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{}, chunked).open(chunked)
			r.allowed.current.Store(&auth.Access{ReadOnly: true})
			r.send(r.manager, doc)
			nothing := r.async(func() {
				if got, err := tryRead(r.device); err == nil {
					t.Errorf("the device got %.100q", got)
				}
			})
			if got := read(t, r.manager); !strings.Contains(got, "malformed-message") {
				t.Errorf("the manager got %q", got)
			}
			r.end()
			nothing()
		})
	}
}

func utf16(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" }

// The two framings do not mix: bytes that would be a message of the one are
// none in the other.
func TestFramingIsNoWayRoundAccess(t *testing.T) {
	commit := rpc(9, "<commit/>")
	whole := func(doc string) string { return fmt.Sprintf("\n#%d\n%s\n##\n", len(doc), doc) }
	for name, test := range map[string]struct {
		framing netconf.Framing
		sent    string
	}{
		"a delimiter between chunks":   {chunked, whole(rpc(1, "<get/>")) + commit + "]]>]]>"},
		"a delimiter in a comment":     {simple, rpc(1, "<get><!-- ]]>]]>"+commit+"]]>]]> --></get>") + "]]>]]>"},
		"chunks in a base:1.0 session": {simple, whole(commit) + "]]>]]>"},
		"a leading zero":               {chunked, "\n#0" + whole(commit)[2:]},
		"a space":                      {chunked, "\n# " + whole(commit)[2:]},
		"a sign":                       {chunked, "\n#+" + whole(commit)[2:]},
		"a hexadecimal size":           {chunked, "\n#0x10\n" + commit + "\n##\n"},
		"a huge size":                  {chunked, "\n#4294967296\n" + commit + "\n##\n"},
		"a size that overflows":        {chunked, "\n#18446744073709551617\n" + commit + "\n##\n"},
		"a size that is too small":     {chunked, "\n#5\n" + commit + "\n##\n"},
		"CR LF":                        {chunked, strings.ReplaceAll(whole(commit), "\n", "\r\n")},
		"no chunk":                     {chunked, "\n##\n" + commit + "\n##\n"},
		"a commit in two chunks":       {chunked, "\n#1\n<" + whole(commit[1:])},
		"a commit behind a get":        {chunked, whole(rpc(1, "<get/>") + commit)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{}, chunked).open(test.framing)
			r.allowed.current.Store(&auth.Access{ReadOnly: true})
			r.async(func() {
				fmt.Fprint(r.wire, test.sent)
				_ = r.wire.CloseWrite()
			})
			nothing := r.async(func() {
				defer r.device.Close()
				for {
					doc, err := tryRead(r.device)
					if err != nil {
						return
					}
					if strings.Contains(doc, "commit") {
						t.Errorf("the device got %q", doc)
					}
					_ = r.device.WriteDocument([]byte(reply(1, "<ok/>")))
				}
			})
			for {
				if _, err := tryRead(r.manager); err != nil {
					break
				}
			}
			r.end()
			nothing()
		})
	}
}

// A denial comes after the replies to what was asked before, and before those
// to what was asked later.
func TestDenialComesInOrder(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	r.allowed.current.Store(&auth.Access{ReadOnly: true})
	r.send(r.manager, rpc(1, "<get/>"), rpc(2, "<commit/>"), rpc(3, "<commit/>"), rpc(4, "<get/>"))
	read(t, r.device)
	r.send(r.device, reply(1, "<data/>"))
	for i, want := range []string{"<data/>", "access-denied", "access-denied"} {
		if got := read(t, r.manager); !strings.Contains(got, fmt.Sprintf(`message-id="%d"`, i+1)) || !strings.Contains(got, want) {
			t.Errorf("reply %d is %q", i+1, got)
		}
	}
	if got := read(t, r.device); got != rpc(4, "<get/>") {
		t.Errorf("the device got %q", got)
	}
	if said := r.allowed.log(); len(said) != 1 || said[0] != "commit" || r.relay.denied.Load() != 2 {
		t.Errorf("logged %q, counted %d", said, r.relay.denied.Load())
	}
}

// What a manager may do can change while its session runs.
func TestAccessIsAskedForEachRequest(t *testing.T) {
	r := newRig(t, Options{}, chunked).open(chunked)
	r.mustPass("<commit/>")
	r.allowed.current.Store(&auth.Access{ReadOnly: true})
	r.mustDeny("<commit/>", "")
	r.mustPass("<get/>")
	r.allowed.current.Store(&auth.Access{Operations: []auth.Operation{{Namespace: netconf.NamespaceBase, Name: "commit"}}})
	r.mustPass("<commit/>")
	r.mustDeny("<get/>", "")
	r.mustPass("<close-session/>")
	r.allowed.current.Store(nil)
	r.mustDeny("<close-session/>", "")
}

// Own and shared sessions, over SSH and TLS, ask the manager's own access.
func TestAccessOfManagersOnTheirSessions(t *testing.T) {
	for _, mode := range []SessionMode{SessionsOwn, SessionsShared, SessionsExclusive} {
		t.Run(mode.String(), func(t *testing.T) {
			opts := nocOptions(t)
			opts.Sessions = mode
			opts.Managers[0].Access.ReadOnly = true
			h := serve(t, opts)
			l := echoLink(t, "edge-1", 1)
			h.attach("edge-1", l)
			readOnly := dial(t, opts.Port, "noc@edge-1")
			session := hello(t, readOnly)
			if got := session.get(); !strings.Contains(got, "<ok/>") {
				t.Errorf("get: %q", got)
			}
			write(t, session.conn, rpc(5, "<commit/>"))
			if got := read(t, session.conn); !strings.Contains(got, "access-denied") || !strings.Contains(got, `message-id="5"`) {
				t.Errorf("commit: %q", got)
			}
			write(t, session.conn, rpc(6, "<close-session/>"))
			if got := read(t, session.conn); !strings.Contains(got, "<ok/>") {
				t.Errorf("close-session: %q", got)
			}
			session.exit()
			readOnly.Close()
			eventually(t, "end of the session", func() bool { return len(h.Devices()[0].Sessions) == 0 })
			admin := hello(t, dial(t, opts.Port, "admin@edge-1"))
			write(t, admin.conn, rpc(7, "<commit/>"))
			if got := read(t, admin.conn); !strings.Contains(got, "<ok/>") {
				t.Errorf("the other's commit: %q", got)
			}
			h.stop()
			if denied := h.log.linesWith("is denied a request"); len(denied) != 1 || !strings.Contains(denied[0], "request=commit") {
				t.Errorf("the log has %q", denied)
			}
			if ends := h.log.linesWith("denied=1"); len(ends) != 1 || !strings.Contains(ends[0], "manager=noc") {
				t.Errorf("the log has %q", ends)
			}
		})
	}
}
