// Command callhome-device simulates NETCONF devices that call home over SSH
// or TLS, one or ten thousand in a process, for demos, tests and load.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
