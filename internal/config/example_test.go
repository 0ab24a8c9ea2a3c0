package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const exampleFile = "../../config.hcl.example"

func TestExampleValidatesOffline(t *testing.T) {
	unset := func(string) (string, bool) { return "", false }
	if c, p := Load(exampleFile, Options{Offline: true, Getenv: unset}); c == nil {
		t.Fatal(p)
	}
}

func TestExampleIsFormatted(t *testing.T) {
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	got, p := Format(exampleFile, src)
	if len(p.list) > 0 || string(got) != string(src) {
		t.Errorf("run callhome-gateway fmt on it: %v", p)
	}
}

// TestExampleHasEveryOption walks the grammar.
func TestExampleHasEveryOption(t *testing.T) {
	src, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	checkOptions(t, string(src), reflect.TypeFor[fileSchema]())
}

func checkOptions(t *testing.T, src string, schema reflect.Type) {
	t.Helper()
	for i := range schema.NumField() {
		field := schema.Field(i)
		name, kind, _ := strings.Cut(field.Tag.Get("hcl"), ",")
		switch kind {
		case "optional":
			if schema == reflect.TypeFor[managerBlock]() && name == "password" {
				continue // it is refused
			}
			// One of two that exclude each other is a comment.
			if !regexp.MustCompile(`(?m)^ *(# )?` + name + ` *= `).MatchString(src) {
				t.Errorf("the example does not show %s", name)
			}
		case "block":
			blocks := blocksOf(src, name)
			if blocks == "" {
				t.Errorf("the example has no %s block", name)
			}
			checkOptions(t, blocks, field.Type.Elem())
		}
	}
}

// blocksOf returns the text of all blocks of a name: they end at the brace that
// is indented as far.
func blocksOf(src, name string) (text string) {
	for _, at := range regexp.MustCompile(`(?m)^( *)`+name+`( "[^"]*")? \{$`).FindAllStringSubmatchIndex(src, -1) {
		indent := src[at[2]:at[3]]
		body, _, _ := strings.Cut(src[at[1]:], "\n"+indent+"}\n")
		text += body + "\n"
	}
	return text
}
