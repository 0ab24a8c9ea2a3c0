package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"callhome-gateway/internal/config"
)

// root is the root of the source tree, seen from this directory.
const root = ".."

var (
	hclBlock     = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInAnchor  = regexp.MustCompile(`[^a-z0-9 _-]`)
	testName     = regexp.MustCompile(`\b(Test|Fuzz|Benchmark|Example)[A-Z]\w+`)
)

func TestConfigurationInTheDocumentsIsValid(t *testing.T) {
	t.Parallel()
	found := 0
	for name, text := range documents(t) {
		for _, block := range hclBlock.FindAllStringSubmatch(text, -1) {
			found++
			path := filepath.Join(t.TempDir(), "config.hcl")
			if err := os.WriteFile(path, []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, problems := config.Load(path, config.Options{Offline: true}); problems.HasErrors() {
				t.Errorf("%s has a configuration that is not valid:\n%v", name, problems)
			}
			if formatted, _ := config.Format(path, []byte(block[1])); string(formatted) != block[1] {
				t.Errorf("%s has a configuration that callhome-gateway fmt would write as:\n%s", name, formatted)
			}
		}
	}
	if found == 0 {
		t.Error("there is no configuration in the documents: this test does not see it any more")
	}
}

func TestLinksInTheDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for name, text := range all {
		for _, link := range markdownLink.FindAllStringSubmatch(text, -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(link[1], "#")
			target := name
			if file != "" {
				target = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, link[1])
			}
			if anchor != "" && !hasAnchor(all[target], anchor) {
				t.Errorf("%s links to %s, and there is no such heading", name, link[1])
			}
		}
	}
}

// hasAnchor makes anchors of headings as GitHub and GitLab do.
func hasAnchor(text, anchor string) bool {
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		words := notInAnchor.ReplaceAllString(strings.ToLower(h[1]), "")
		if strings.ReplaceAll(words, " ", "-") == anchor {
			return true
		}
	}
	return false
}

func TestEveryReasonCodeIsExplained(t *testing.T) {
	t.Parallel()
	operating := documents(t)[filepath.Join("docs", "operating.md")]
	reasons := reasonCodes(t)
	if len(reasons) == 0 {
		t.Fatal("no reason codes were found: this test does not see them any more")
	}
	for _, reason := range reasons {
		if !strings.Contains(operating, "\n| `"+reason+"` |") {
			t.Errorf("docs/operating.md does not explain %s", reason)
		}
	}
}

func TestTestsNamedInTheDocumentsExist(t *testing.T) {
	t.Parallel()
	written := writtenTests(t)
	for name, text := range documents(t) {
		for _, test := range testName.FindAllString(text, -1) {
			if !strings.Contains(written, "\nfunc "+test+"(") {
				t.Errorf("%s speaks of %s, which does not exist", name, test)
			}
		}
	}
}

// writtenTests returns all test files in one.
func writtenTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// reasonCodes returns the constants of type callhome.Reason.
func reasonCodes(t *testing.T) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "callhome", "outcome.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Reason" {
			return false
		}
		for _, value := range spec.Values {
			if code, err := strconv.Unquote(value.(*ast.BasicLit).Value); err == nil {
				codes = append(codes, code)
			}
		}
		return false
	})
	return codes
}

// documents returns the text of every document, by its path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(text)
		}
	}
	return all
}
