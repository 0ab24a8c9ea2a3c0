package devicesim

import "testing"

func forest(t *testing.T, doc string) *node {
	t.Helper()
	n, err := parseForest([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEditConfig(t *testing.T) {
	const (
		nc  = ` xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation=`
		old = `<a><x>1</x><y>2</y></a><u><name>ann</name><age>3</age></u>`
	)
	tests := []struct {
		name, change string
		initial      edit
		want, fault  string
	}{
		{"merge sets a leaf", `<a><x>5</x></a>`, editMerge, `<a><x>5</x><y>2</y></a><u><name>ann</name><age>3</age></u>`, ""},
		{"merge adds", `<b>1</b>`, editMerge, old + `<b>1</b>`, ""},
		{"merge finds a list entry by its key", `<u><name>ann</name><age>4</age></u>`, editMerge, `<a><x>1</x><y>2</y></a><u><name>ann</name><age>4</age></u>`, ""},
		{"merge adds a list entry", `<u><name>bob</name></u>`, editMerge, old + `<u><name>bob</name></u>`, ""},
		{"merge without a key", `<u><age>4</age></u>`, editMerge, `<a><x>1</x><y>2</y></a><u><name>ann</name><age>4</age></u>`, ""},
		{"replace of an element", `<a` + nc + `"replace"><x>5</x></a>`, editMerge, `<a><x>5</x></a><u><name>ann</name><age>3</age></u>`, ""},
		{"replace of everything", `<b>1</b>`, editReplace, `<b>1</b>`, ""},
		{"create", `<b` + nc + `"create"><c>1</c></b>`, editMerge, old + `<b><c>1</c></b>`, ""},
		{"create what exists", `<a` + nc + `"create"/>`, editMerge, "", "data-exists"},
		{"delete", `<a` + nc + `"delete"/>`, editMerge, `<u><name>ann</name><age>3</age></u>`, ""},
		{"delete of a nested leaf", `<a><x` + nc + `"delete"/></a>`, editNone, `<a><y>2</y></a><u><name>ann</name><age>3</age></u>`, ""},
		{"delete of a list entry", `<u` + nc + `"delete"><name>ann</name></u>`, editNone, `<a><x>1</x><y>2</y></a>`, ""},
		{"delete what does not exist", `<b` + nc + `"delete"/>`, editMerge, "", "data-missing"},
		{"remove what does not exist", `<b` + nc + `"remove"/>`, editMerge, old, ""},
		{"none changes nothing", `<a><x>5</x></a>`, editNone, old, ""},
		{"none needs the element", `<b/>`, editNone, "", "data-missing"},
		{"unknown operation", `<a` + nc + `"twist"/>`, editMerge, "", "bad-attribute"},
		{"text is escaped", `<b>&lt;&amp;]]&gt;</b>`, editMerge, old + `<b>&lt;&amp;]]&gt;</b>`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := forest(t, old)
			got, fault := editConfig(before, forest(t, tt.change), tt.initial)
			if s := before.String(); s != old {
				t.Errorf("the old tree became\n%s", s)
			}
			switch {
			case fault != nil && fault.Tag != tt.fault:
				t.Errorf("fault %s, want %q", fault.Tag, tt.fault)
			case fault == nil && tt.fault != "":
				t.Errorf("no fault, want %s", tt.fault)
			case fault == nil && got.String() != tt.want:
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	const data = `<top xmlns="urn:x"><users><user kind="a"><name>ann</name><age>1</age></user>` +
		`<user kind="b"><name>bob</name><age>2</age></user></users><log><level>1</level></log></top>` +
		`<other xmlns="urn:y"><z>1</z></other>`
	const ann = `<user kind="a"><name>ann</name><age>1</age></user>`
	tests := []struct{ name, filter, want string }{
		{"empty", ``, ``},
		{"top-level", `<other xmlns="urn:y"/>`, `<other xmlns="urn:y"><z>1</z></other>`},
		{"other namespace", `<other xmlns="urn:x"/>`, ``},
		{"any namespace", `<other/>`, `<other xmlns="urn:y"><z>1</z></other>`},
		{"nested", `<top xmlns="urn:x"><log/></top>`, `<top xmlns="urn:x"><log><level>1</level></log></top>`},
		{"selects leaves", `<top xmlns="urn:x"><users><user><age/></user></users></top>`,
			`<top xmlns="urn:x"><users><user kind="a"><age>1</age></user><user kind="b"><age>2</age></user></users></top>`},
		{"content match alone selects all", `<top xmlns="urn:x"><users><user><name>ann</name></user></users></top>`,
			`<top xmlns="urn:x"><users>` + ann + `</users></top>`},
		{"content match with a leaf", `<top xmlns="urn:x"><users><user><name>bob</name><age/></user></users></top>`,
			`<top xmlns="urn:x"><users><user kind="b"><name>bob</name><age>2</age></user></users></top>`},
		{"no content match", `<top xmlns="urn:x"><users><user><name>eve</name></user></users></top>`, ``},
		{"attribute", `<top xmlns="urn:x"><users><user kind="a"/></users></top>`, `<top xmlns="urn:x"><users>` + ann + `</users></top>`},
		{"filters add up", `<top xmlns="urn:x"><log/></top><top xmlns="urn:x"><users><user><name>ann</name></user></users></top>`,
			`<top xmlns="urn:x"><users>` + ann + `</users><log><level>1</level></log></top>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := filtered(forest(t, data), forest(t, tt.filter)).String(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	if got := filtered(forest(t, data), nil).String(); got != data {
		t.Errorf("no filter gives\n%s", got)
	}
}
