package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is one of the C programs in tests/peers.
type program struct {
	directory string
	libraries []string

	once sync.Once
	path string
	err  error
}

// binary compiles the program once, into a cache that later runs find.
func (p *program) binary(t testing.TB) string {
	t.Helper()
	source := filepath.Join(repository(t), "tests", "peers", p.directory)
	p.once.Do(func() { p.path, p.err = p.build(source) })
	if p.err != nil {
		t.Fatalf("compiling the %s program: %v", p.directory, p.err)
	}
	return p.path
}

func (p *program) build(source string) (string, error) {
	digest, sources, err := hashSources(source)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "callhome-gateway-tests")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, p.directory+"-"+digest)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	return binary, p.compile(binary, sources)
}

// hashSources returns what names this version of the sources.
func hashSources(dir string) (digest string, sources []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.[ch]"))
	if err != nil {
		return "", nil, err
	}
	all := sha256.New()
	for _, file := range files {
		if filepath.Ext(file) == ".c" {
			sources = append(sources, file)
		}
		if err := hashFile(all, file); err != nil {
			return "", nil, err
		}
	}
	return hex.EncodeToString(all.Sum(nil)[:8]), sources, nil
}

func hashFile(to hash.Hash, path string) error {
	content, err := os.ReadFile(path)
	if err == nil {
		_, _ = to.Write(content) // a hash never fails
	}
	return err
}

// compile writes beside the binary and renames, for a run that is interrupted.
func (p *program) compile(binary string, sources []string) error {
	unfinished := fmt.Sprintf("%s.%d", binary, os.Getpid())
	args := append([]string{"-O1", "-g", "-Wall", "-Wextra", "-Wno-deprecated-declarations", "-o", unfinished}, sources...)
	for _, library := range p.libraries {
		args = append(args, "-l"+library)
	}
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return os.Rename(unfinished, binary)
}
