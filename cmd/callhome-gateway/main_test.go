package main

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/devicesim"
	"callhome-gateway/internal/testport"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

var testPorts = testport.New(27000, 4000)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){programName: main, "device": func() { os.Exit(device()) }})
}

// device is a device that calls home until SIGINT: not all that callhome-device
// can do, and no program that the tests would have to build.
func device() int {
	connect, seed, password := flag.String("connect", "", ""), flag.String("seed", "", ""), flag.String("password", "secret", "")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := simulate(ctx, *connect, *seed, *password); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func simulate(ctx context.Context, connect, seed, password string) error {
	key, err := devicesim.KeyFromSeed(seed, 0)
	if err != nil {
		return err
	}
	d, err := devicesim.New(devicesim.Options{
		Connect: connect, HostKeys: []ssh.Signer{key}, Username: "netconf", Password: password, Reconnect: 20 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

// fingerprint is that of the device with the seed.
func fingerprint(ts *testscript.TestScript, seed string) string {
	key, err := devicesim.KeyFromSeed(seed, 0)
	ts.Check(err)
	return ssh.FingerprintSHA256(key.PublicKey())
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			for _, name := range []string{"PORT1", "PORT2", "PORT3", "PORT4"} {
				env.Setenv(name, fmt.Sprint(testPorts.Free(t)))
			}
			// A program with the race detector sleeps for a second before it exits.
			env.Setenv("GORACE", "atexit_sleep_ms=20")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"expand": expand, "await": await, "fingerprint": setFingerprint, "devicename": setName, "sshkey": writeKey,
		},
	})
}

// expand FILE... puts variables such as $PORT1 into the files, which nobody else
// may read then.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		path := ts.MkAbs(file)
		ts.Check(os.WriteFile(path, []byte(os.Expand(ts.ReadFile(file), ts.Getenv)), 0o600))
		ts.Check(os.Chmod(path, 0o600))
	}
}

// setFingerprint is the script command fingerprint VARIABLE SEED, which sets the
// variable to that of the device.
func setFingerprint(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], fingerprint(ts, args[1]))
}

// setName is the script command devicename VARIABLE SEED, which sets the variable
// to the name that the device gets when it is trusted on first use.
func setName(ts *testscript.TestScript, _ bool, args []string) {
	digest := auth.Identity{Fingerprint: fingerprint(ts, args[1])}.Digest()
	ts.Setenv(args[0], fmt.Sprintf("dev-%x", digest[:8]))
}

// writeKey is the script command sshkey FILE, which makes a private key.
func writeKey(ts *testscript.TestScript, _ bool, args []string) {
	_, key, err := ed25519.GenerateKey(nil)
	ts.Check(err)
	block, err := ssh.MarshalPrivateKey(key, "")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(block), 0o600))
}

// await PATTERN COMMAND... runs the command until it succeeds and prints what
// matches.
func await(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v: %v, and no %s in\n%s%s", args[1:], err, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}
