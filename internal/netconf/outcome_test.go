package netconf

import "testing"

func TestOutcomeOfReply(t *testing.T) {
	reply := func(content string) string {
		return `<rpc-reply xmlns="` + NamespaceBase + `">` + content + `</rpc-reply>`
	}
	failure := func(severity string) string {
		return "<rpc-error><error-tag>x</error-tag>" + severity + "</rpc-error>"
	}
	const warning = "<error-severity> warn<!-- -->ing\n</error-severity>"
	for doc, want := range map[string]Outcome{
		reply(""):                          Unclear,
		reply("<data/>"):                   Unclear,
		reply("<data><x><ok/></x></data>"): Unclear,
		reply(`<ok xmlns="u"/>`):           Unclear,
		reply("<ok/>"):                     Succeeded,
		reply("<!-- --> <ok></ok> "):       Succeeded,
		reply("<results><ok/></results>"):  Succeeded,
		reply(failure(warning)):            Succeeded,
		reply(failure(warning) + "<ok/>"):  Succeeded,
		reply(failure("")):                 Failed,
		reply("<ok/>" + failure("")):       Failed,
		reply(failure("<error-severity>error</error-severity>")):                            Failed,
		reply(failure(warning) + failure("")):                                               Failed,
		reply("<results>" + failure("") + "</results><ok/>"):                                Failed,
		reply(failure(`<error-severity xmlns="u">warning</error-severity>`)):                Failed,
		reply(failure("<error-info><error-severity>warning</error-severity></error-info>")): Failed,
		`<rpc-reply xmlns="u"><ok/></rpc-reply>`:                                            Unclear,
		`<rpc xmlns="` + NamespaceBase + `"><ok/></rpc>`:                                    Unclear,
	} {
		eachSplit(doc, func(how string, parts ...string) {
			if got, err := check(parts...); err != nil || got.Outcome != want {
				t.Errorf("%s, %s: got %v, %v", doc, how, got.Outcome, err)
			}
		})
	}
	if got, err := check(`<rpc-reply xmlns="` + NamespaceBase + `"><ok/>`); err == nil || got.Outcome != Unclear {
		t.Errorf("half a reply: got %v, %v", got.Outcome, err)
	}
}
