package netconf

import (
	"slices"
	"strings"
	"testing"
)

// scanned returns what a scanner makes of a reply that comes in parts of n bytes.
func scanned(doc string, n int) (ok, failed bool, tag string) {
	var s ReplyScanner
	for part := range slices.Chunk([]byte(doc), n) {
		_, _ = s.Write(part)
	}
	s.Finish()
	return s.OK(), s.Failed(), s.ErrorTag()
}

func rpcError(tag, severity string) string {
	return "<rpc-error><error-type>rpc</error-type><error-tag> " + tag + "\n</error-tag><error-severity>" + severity +
		"</error-severity><error-info><error-tag>inner</error-tag></error-info></rpc-error>"
}

func TestReplyScanner(t *testing.T) {
	deep := "<data>" + strings.Repeat("<a x='/>' y=\"1\">", 20) + "<rpc-error/><ok/>" + strings.Repeat("</a>", 20) + "</data>"
	tests := map[string]struct {
		content    string
		ok, failed bool
		tag        string
	}{
		"ok":                       {"<ok/>", true, false, ""},
		"ok with space":            {"\n  <ok />\n", true, false, ""},
		"ok in two tags":           {"<ok></ok>", true, false, ""},
		"ok under a prefix":        {`<nc:ok xmlns:nc="x"/>`, true, false, ""},
		"nothing":                  {"", false, false, ""},
		"data":                     {"<data><ok/></data>", false, false, ""},
		"okay":                     {"<okay/>", false, false, ""},
		"error":                    {rpcError("in-use", "error"), false, true, "in-use"},
		"two errors":               {rpcError("in-use", "error") + rpcError("data-missing", "error"), false, true, "in-use"},
		"warning":                  {rpcError("data-missing", "warning"), true, false, "data-missing"},
		"warning and ok":           {rpcError("data-missing", "warning") + "<ok/>", true, false, "data-missing"},
		"warning and error":        {rpcError("data-missing", "warning") + rpcError("in-use", "error"), false, true, "in-use"},
		"no severity":              {"<rpc-error><error-tag>x</error-tag></rpc-error>", false, true, "x"},
		"empty error":              {"<rpc-error/>", false, true, ""},
		"error behind data":        {deep + rpcError("partial-operation", "error"), false, true, "partial-operation"},
		"error between data":       {deep + rpcError("x", "error") + deep, false, true, "x"},
		"error inside of data":     {deep, false, false, ""},
		"error right below data":   {"<data>" + rpcError("x", "error") + "</data>", false, false, ""},
		"error that Junos wraps":   {"<commit-results>" + rpcError("x", "error") + "</commit-results>", false, true, "x"},
		"error in a comment":       {"<!-- <rpc-error/> -- > <rpc-error/> --><ok/>", true, false, ""},
		"error in CDATA":           {"<output><![CDATA[<rpc-error/>]] > ]>]]></output><ok/>", true, false, ""},
		"error in an instruction":  {"<?x <rpc-error/> ?><ok/>", true, false, ""},
		"error in an attribute":    {`<a b="><rpc-error/>" c='"'/><ok/>`, true, false, ""},
		"a tag that ends in slash": {`<a b="/"><ok/></a>`, false, false, ""},
		"a long name":              {"<" + strings.Repeat("a", 100) + "/><ok/>", true, false, ""},
		"a long tag":               {rpcError(strings.Repeat("a", 100), "error"), false, true, strings.Repeat("a", 63)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, prefix := range []string{"", "nc:"} {
				doc := `<?xml version="1.0"?><` + prefix + `rpc-reply message-id="1" xmlns:nc="` + NamespaceBase + `">` +
					test.content + "</" + prefix + "rpc-reply>"
				for _, n := range []int{1, 2, 3, 7, len(doc)} {
					ok, failed, tag := scanned(doc, n)
					if ok != test.ok || failed != test.failed || tag != test.tag {
						t.Errorf("in parts of %d: ok %t, failed %t, tag %q", n, ok, failed, tag)
					}
				}
			}
		})
	}
}

// Of a long reply the start and the end are looked at.
func TestReplyScannerOfALongReply(t *testing.T) {
	data := "<data>" + strings.Repeat("<a><b>c</b></a>\n", 4000) + "</data>"
	long := rpcError(strings.Repeat("x", 3*scanEnd), "error")
	for name, test := range map[string]struct {
		content    string
		ok, failed bool
		tag        string
	}{
		"data":                     {data, false, false, ""},
		"ok behind":                {data + "<nc:ok/>", true, false, ""},
		"okay behind":              {data + "<okay/>", false, false, ""},
		"text behind":              {"<r>" + data + "ok/></r>", false, false, ""},
		"error behind":             {data + " " + rpcError("in-use", "error") + "\n", false, true, "in-use"},
		"errors behind":            {data + rpcError("a", "warning") + rpcError("b", "error") + rpcError("c", "error"), false, true, "b"},
		"warning behind":           {data + rpcError("a", "warning"), false, false, "a"},
		"error in front":           {rpcError("in-use", "error") + data, false, true, "in-use"},
		"warning in front":         {rpcError("a", "warning") + data + rpcError("in-use", "error") + data, false, true, "in-use"},
		"long error":               {data + long, false, true, ""},
		"wrapped error":            {"<results>" + data + rpcError("in-use", "error") + "</results>", false, true, "in-use"},
		"error in data":            {"<data>" + data + rpcError("in-use", "error") + "</data>", false, false, ""},
		"error deep":               {"<r><s>" + data + rpcError("in-use", "error") + "</s></r>", false, false, ""},
		"error in CDATA":           {"<r><![CDATA[" + data + rpcError("x", "error") + "]]></r>", false, false, ""},
		"error in a comment":       {data + "<!--" + rpcError("x", "error") + "-->", false, false, ""},
		"error in the midst":       {data + rpcError("in-use", "error") + data, false, false, ""},
		"error in the midst of 8K": {data[:6+16*187] + "</data>" + rpcError("in-use", "error") + data, false, true, "in-use"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := `<nc:rpc-reply xmlns:nc="` + NamespaceBase + `">` + test.content + "</nc:rpc-reply>\n"
			for _, n := range []int{1, 1000, pieceSize, len(doc)} {
				if ok, failed, tag := scanned(doc, n); ok != test.ok || failed != test.failed || tag != test.tag {
					t.Errorf("in parts of %d: ok %t, failed %t, tag %q", n, ok, failed, tag)
				}
			}
		})
	}
}

// A Checker goes by namespaces too. Where all is in the base namespace both
// must come to the same, for every well-formed reply.
func FuzzReplyScanner(f *testing.F) {
	for _, content := range []string{"<ok/>", "<data><a/></data>", rpcError("in-use", "error"), rpcError("x", "warning"),
		"<!-- --><a b='>'/><![CDATA[]]]]><ok/>", "<r>" + rpcError("x", "error") + "</r>"} {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if strings.Contains(content, "xmlns") || strings.Contains(content, "]]>]]>") || strings.ContainsAny(content, "&") ||
			strings.Contains(content, "<data") {
			return
		}
		doc := `<rpc-reply xmlns="` + NamespaceBase + `">` + content + "</rpc-reply>"
		c := NewChecker()
		_, _ = c.Write([]byte(doc))
		head, err := c.Finish()
		if err != nil || strings.Contains(content, "<![CDATA[") && strings.Contains(content, "severity") {
			return
		}
		if _, failed, _ := scanned(doc, 5); failed != (head.Outcome == Failed) {
			t.Errorf("failed %t, and the outcome is %s", failed, head.Outcome)
		}
	})
}

func BenchmarkReplyScanner(b *testing.B) {
	for name, text := range map[string]string{
		"text":   "<a>" + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20_000) + "</a>",
		"config": sampleReply(4000),
		"tags":   "<a>" + strings.Repeat("<b/>", 200_000) + "</a>",
	} {
		b.Run(name, func(b *testing.B) {
			doc := []byte(text)
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				var s ReplyScanner
				for part := range slices.Chunk(doc, pieceSize) {
					_, _ = s.Write(part)
				}
				s.Finish()
			}
		})
	}
}
