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
			if !regexp.MustCompile(`(?m)^ *` + name + ` *= `).MatchString(src) {
				t.Errorf("the example does not show %s", name)
			}
		case "block":
			body := regexp.MustCompile(`(?ms)^( *)`+name+`( "[^"]*")? \{$.*?^( *)\}$`).FindAllString(src, -1)
			if len(body) == 0 {
				t.Errorf("the example has no %s block", name)
			}
			checkOptions(t, strings.Join(body, "\n"), field.Type.Elem())
		}
	}
}
