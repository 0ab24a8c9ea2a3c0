// Command callhome-gateway accepts NETCONF Call Home connections (RFC 8071)
// and offers each device as an ordinary NETCONF endpoint.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
