package callhome

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Listen listens on a TCP port of an address; port 0 lets the system choose.
// An IPv4 address listens on IPv4 only, and "::" on both: Go's "tcp" network
// would open 0.0.0.0 to IPv6 as well. The error says what to do about it.
func Listen(address netip.Addr, port uint16) (net.Listener, error) {
	network := "tcp"
	if address = address.Unmap(); address.Is4() {
		network = "tcp4"
	}
	ln, err := net.Listen(network, net.JoinHostPort(address.String(), strconv.Itoa(int(port))))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: stop the program that has it, or choose another port", err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%w: ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); or choose another port", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w: this machine does not have the address", err)
	}
	return ln, err
}
