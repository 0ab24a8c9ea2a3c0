package netconf

import (
	"strings"
	"testing"
)

// placeless is a head without the place and sizes of its attributes, which
// messageid_test.go looks at.
func placeless(h Head) Head {
	h.idText, h.echo = span{}, 0
	return h
}

func TestCheckerHeads(t *testing.T) {
	const attributes = ` message-id="1" xmlns="` + NamespaceBase + `"`
	rpc := func(content string) string { return "<rpc" + attributes + ">" + content + "</rpc>" }
	head := func(space, op, target string) Head {
		return Head{Kind: KindRPC, Op: Name{space, op}, Target: target, ID: "1", HasID: true, Attributes: attributes}
	}
	base := func(op, target string) Head { return head(NamespaceBase, op, target) }
	kill := func(id string) Head {
		h := base("kill-session", "")
		h.SessionID = id
		return h
	}
	ambiguous := func(h Head) Head {
		h.Ambiguous = true
		return h
	}
	for doc, want := range map[string]Head{
		rpc(""):                           head("", "", ""),
		rpc("<!-- <x> -->"):               head("", "", ""),
		rpc("<get/>"):                     base("get", ""),
		rpc(`<x:get xmlns:x="u"/>`):       head("u", "get", ""),
		rpc(`<get xmlns=""/>`):            head("", "get", ""),
		rpc("<?p?> <get><filter/></get>"): base("get", ""),
		rpc("<lock><target><candidate/></target></lock>"):                                                            base("lock", "candidate"),
		rpc("<unlock> <target>\n<running/></target></unlock>"):                                                       base("unlock", "running"),
		rpc("<lock><target/></lock>"):                                                                                base("lock", ""),
		rpc("<lock><x/><target><!-- --><startup></startup></target></lock>"):                                         base("lock", "startup"),
		rpc(`<lock><target><x:running xmlns:x="u"/></target></lock>`):                                                base("lock", "{u}running"),
		rpc(`<lock><target xmlns="u"><running/></target></lock>`):                                                    ambiguous(base("lock", "")),
		rpc(`<lock><x><target><running/></target></x></lock>`):                                                       base("lock", ""),
		rpc(`<lock xmlns="u"><target><running/></target></lock>`):                                                    head("u", "lock", ""),
		rpc("<edit-config><target><candidate/></target><config><target><x/></target></config></edit-config>"):        base("edit-config", "candidate"),
		rpc("<copy-config><target><url>u</url></target><source><running/></source></copy-config>"):                   base("copy-config", "url"),
		rpc("<copy-config><source><running/></source><target><startup/></target></copy-config>"):                     base("copy-config", "startup"),
		rpc("<delete-config><target><startup/></target></delete-config>"):                                            base("delete-config", "startup"),
		rpc("<validate><source><candidate/></source></validate>"):                                                    base("validate", "candidate"),
		rpc("<validate><source><config><a/><b/></config></source></validate>"):                                       base("validate", "config"),
		rpc("<get-config><source><running/></source></get-config>"):                                                  base("get-config", "running"),
		rpc(`<get-config><source><x:url xmlns:x="u">a</x:url></source></get-config>`):                                base("get-config", "{u}url"),
		rpc("<get-config><filter><source><url/></source></filter><source><running/></source></get-config>"):          base("get-config", "running"),
		rpc("<get-config><source><running/></source><source><url/></source></get-config>"):                           ambiguous(base("get-config", "running")),
		rpc("<get-config><source><running/><url/></source></get-config>"):                                            ambiguous(base("get-config", "running")),
		rpc(`<get-data xmlns="` + NamespaceNMDA + `" xmlns:ds="d"><datastore>ds:operational</datastore></get-data>`): head(NamespaceNMDA, "get-data", "operational"),
		rpc("<commit/>"): base("commit", ""),
		rpc(`<edit-data xmlns="` + NamespaceNMDA + `" xmlns:ds="d"><datastore> ds:candidate </datastore></edit-data>`): head(NamespaceNMDA, "edit-data", "candidate"),
		rpc(`<edit-data xmlns="` + NamespaceNMDA + `"><datastore>running</datastore></edit-data>`):                     head(NamespaceNMDA, "edit-data", "running"),
		rpc("<kill-session><session-id>\n 4 </session-id></kill-session>"):                                             kill("4"),
		rpc("<kill-session><session-id><!-- 1 -->&#x34;<![CDATA[2]]><?p 3?>&#53;</session-id></kill-session>"):         ambiguous(kill("425")),
		rpc("<kill-session><session-id><![CDATA[]]]]></session-id></kill-session>"):                                    ambiguous(kill("]]")),
		rpc("<kill-session><session-id><![CDATA[]]]]]>]</session-id></kill-session>"):                                  ambiguous(kill("]]]]")),
		rpc("<kill-session/>"): kill(""),

		rpc(`<get xmlns="a&amp;b"/>`):                                                                          ambiguous(head("a&b", "get", "")),
		rpc(`<lock><target><x xmlns="a&#38;b"/></target></lock>`):                                              ambiguous(base("lock", "{a&b}x")),
		rpc(`<get><filter><x xmlns="a&amp;b"/></filter></get>`):                                                base("get", ""),
		rpc(`<include xmlns="` + spaceXInclude + `"/>`):                                                        ambiguous(head(spaceXInclude, "include", "")),
		rpc(`<x:include xmlns:x="` + spaceOldXInclude + `"/>`):                                                 ambiguous(head(spaceOldXInclude, "include", "")),
		rpc(`<get><a><b><c><x:fallback xmlns:x="` + spaceXInclude + `"/></c></b></a></get>`):                   ambiguous(base("get", "")),
		rpc(`<get xmlns:xi="` + spaceXInclude + `"/>`):                                                         base("get", ""),
		rpc("<get/><kill-session/>"):                                                                           ambiguous(base("get", "")),
		rpc("<lock><target><running/><candidate/></target></lock>"):                                            ambiguous(base("lock", "running")),
		rpc("<lock><target><running/></target><target><candidate/></target></lock>"):                           ambiguous(base("lock", "running")),
		rpc("<kill-session><session-id>1</session-id><session-id>2</session-id></kill-session>"):               ambiguous(kill("1")),
		rpc(`<kill-session><session-id>4</session-id><session-id xmlns="u">1</session-id></kill-session>`):     ambiguous(kill("4")),
		rpc(`<kill-session><session-id xmlns="u">1</session-id><session-id>4</session-id></kill-session>`):     ambiguous(kill("")),
		rpc(`<kill-session><session-id xmlns="u">1</session-id></kill-session>`):                               ambiguous(kill("")),
		rpc(`<lock><target><candidate/></target><target xmlns="u"><running/></target></lock>`):                 ambiguous(base("lock", "candidate")),
		rpc(`<lock><target><candidate/><running xmlns="u"/></target></lock>`):                                  ambiguous(base("lock", "candidate")),
		rpc("<kill-session><session-id>1<x/></session-id></kill-session>"):                                     ambiguous(kill("1")),
		rpc("<kill-session><session-id>1" + strings.Repeat(" ", maxArgument) + "</session-id></kill-session>"): ambiguous(kill("1")),

		`<rpc xmlns="` + NamespaceBase + `" message-id="` + "a\tb&#10;&lt;" + `" xml:message-id="x"/>`: {
			Kind: KindRPC, ID: "a b\n<", HasID: true, Attributes: ` xmlns="` + NamespaceBase + `" message-id="` + "a\tb&#10;&lt;" + `" xml:message-id="x"`,
		},
		`<n:rpc xmlns:n='` + NamespaceBase + `' ><n:get/></n:rpc>`: {
			Kind: KindRPC, Op: Name{NamespaceBase, "get"}, Attributes: ` xmlns:n='` + NamespaceBase + `' `, prefix: "n:",
		},
		`<rpc><get/></rpc>`:                      {},
		`<rpc message-id=""/>`:                   {HasID: true, Attributes: ` message-id=""`},
		`<hello xmlns="` + NamespaceBase + `"/>`: {Kind: KindHello, Attributes: ` xmlns="` + NamespaceBase + `"`},
		`<notification xmlns="` + NamespaceNotification + `"><eventTime/><e xmlns="u"/><f/></notification>`: {
			Kind: KindNotification, Op: Name{"u", "e"}, Attributes: ` xmlns="` + NamespaceNotification + `"`,
		},
		`<hello xmlns="` + NamespaceBase + `"><a/></hello>`: {Kind: KindHello, Attributes: ` xmlns="` + NamespaceBase + `"`},
	} {
		eachSplit(doc, func(how string, parts ...string) {
			if got, err := check(parts...); err != nil || placeless(got) != want {
				t.Errorf("%s, %s:\n got %+v, %v\nwant %+v", doc, how, got, err, want)
			}
		})
	}
}

func TestHeadOfMalformedRPC(t *testing.T) {
	const start = `<rpc xmlns="` + NamespaceBase + `" message-id="1"`
	for doc, want := range map[string]Head{
		start:                 {},
		start + ` x="<">`:     {},
		start + ` x="" x="">`: {},
		start + `>`:           {Kind: KindRPC, ID: "1", HasID: true, Attributes: strings.TrimPrefix(start, "<rpc")},
		start + `></x>`:       {Kind: KindRPC, ID: "1", HasID: true, Attributes: strings.TrimPrefix(start, "<rpc")},
	} {
		eachSplit(doc, func(how string, parts ...string) {
			if got, err := check(parts...); err == nil || placeless(got) != want {
				t.Errorf("%s, %s: got %+v, %v", doc, how, got, err)
			}
		})
	}
}

func TestRepliesToAnyWellFormedRPC(t *testing.T) {
	for _, attributes := range []string{
		`xmlns="` + NamespaceBase + `"`,
		`xmlns="` + NamespaceBase + `" xmlns:x="u" x:message-id="2" message-id='"&lt;&#10;'`,
		`n:xmlns:n="` + NamespaceBase + `" message-id="1"`,
		`n:xmlns:n="` + NamespaceBase + `" xmlns="urn:other" n:a="b"`,
	} {
		prefix := ""
		if rest, ok := strings.CutPrefix(attributes, "n:"); ok {
			prefix, attributes = "n:", rest
		}
		h, err := check("<" + prefix + "rpc " + attributes + "/>")
		if err != nil {
			t.Fatal(err)
		}
		doc := ErrorReply(h, RPCError{Tag: "in-use", Message: `]]>&"`, Info: "<bad-element>x</bad-element>"})
		reply := parseReply(t, doc)
		if len(reply.Errors) != 1 || reply.Errors[0].Info.BadElement != "x" || reply.Errors[0].Message != `]]>&"` {
			t.Errorf("%s: got %s", attributes, doc)
		}
		got, err := check(string(doc))
		if err != nil || got.Kind != KindReply || got.Attributes != h.Attributes || got.ID != h.ID || got.HasID != h.HasID {
			t.Errorf("%s: got %+v, %v", doc, got, err)
		}
		if got, err := check(string(OKReply(h))); err != nil || got.Kind != KindReply {
			t.Errorf("%s: got %+v, %v", OKReply(h), got, err)
		}
	}
}
