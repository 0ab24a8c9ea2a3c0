package callhome

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"callhome-gateway/auth"

	"github.com/pires/go-proxyproto"
)

const (
	// proxyHeaderTimeout is for what proxies send at once when they connect.
	proxyHeaderTimeout = 5 * time.Second
	// maxProxyV1 is a whole header of version 1 (section 2.1 of the protocol).
	maxProxyV1 = 107
	// proxyV2Prefix is what says how long a header of version 2 is, and
	// maxProxyV2 bounds the rest: 36 bytes of addresses, and what proxies add,
	// a client certificate at the most.
	proxyV2Prefix = 16
	maxProxyV2    = 4096
)

// ErrProxyCheck is returned by Caller where a proxy has connected on its own
// behalf, to see whether somebody listens.
var ErrProxyCheck = errors.New("the proxy has connected on its own behalf")

// Caller returns the address that a connection comes from: where its other end
// is one of the proxies, the one that the PROXY header (version 1 or 2) tells.
// Then it reads the header, and no byte behind it, for 5 s at most. Of all
// others nothing is read. The error is a sentence that says what came instead;
// with it, source is the proxy's address. When ctx ends the connection is closed.
func Caller(ctx context.Context, conn net.Conn, proxies []netip.Prefix) (source netip.AddrPort, proxied bool, err error) {
	source = addrPort(conn.RemoteAddr())
	if !auth.Within(proxies, source.Addr()) {
		return source, false, nil
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetReadDeadline(time.Now().Add(proxyHeaderTimeout)); err != nil {
		return source, true, err
	}
	raw, err := readProxyHeader(conn)
	var announced netip.AddrPort
	if err == nil {
		announced, err = parseProxyHeader(raw)
	}
	switch {
	case errors.Is(err, ErrProxyCheck), announced == source: // HAProxy says so in version 1
		return source, true, ErrProxyCheck
	case err != nil:
		return source, true, fmt.Errorf("connections from %s begin with a PROXY header, since it is one of the proxies, but %w: "+
			"let it send the header, or take it out of proxies", source.Addr(), err)
	}
	_ = conn.SetReadDeadline(time.Time{}) // who reads next finds what is wrong with it
	return announced, true, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// readProxyHeader reads one header and nothing behind it, since all who come
// later read from the connection itself, and ask the kernel about it.
func readProxyHeader(r io.Reader) (raw []byte, err error) {
	for {
		missing, err := missingOfHeader(raw)
		if missing == 0 || err != nil {
			return raw, err
		}
		start := len(raw)
		raw = slices.Grow(raw, missing)
		n, err := r.Read(raw[start : start+missing])
		raw = raw[:start+n]
		switch {
		case n > 0 || err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return raw, fmt.Errorf("within %s there came %s", proxyHeaderTimeout, cameInstead(raw))
		case len(raw) == 0:
			return raw, ErrProxyCheck // it may not even say so
		default:
			return raw, fmt.Errorf("it ended behind %s", cameInstead(raw))
		}
	}
}

// missingOfHeader returns how many bytes certainly belong to the header that
// has begun with raw: of a line, whose end nothing tells before, one at a time.
func missingOfHeader(raw []byte) (int, error) {
	switch v1, v2 := begins(raw, proxyproto.SIGV1), begins(raw, proxyproto.SIGV2); {
	case !v1 && !v2:
		return 0, fmt.Errorf("it began with %s", cameInstead(raw))
	case len(raw) < len(proxyproto.SIGV2):
		return len(proxyproto.SIGV2) - len(raw), nil // no header is shorter
	case v2:
		return missingOfV2(raw)
	case bytes.IndexByte(raw, '\n') >= 0:
		return 0, nil
	case len(raw) >= maxProxyV1:
		return 0, fmt.Errorf("its header has more than %d bytes", maxProxyV1)
	}
	return 1, nil
}

// begins reports whether raw is the begin of the signature, or begins with it.
func begins(raw, signature []byte) bool {
	return bytes.HasPrefix(signature, raw[:min(len(raw), len(signature))])
}

func missingOfV2(raw []byte) (int, error) {
	if len(raw) < proxyV2Prefix {
		return proxyV2Prefix - len(raw), nil
	}
	length := int(binary.BigEndian.Uint16(raw[proxyV2Prefix-2:]))
	if length > maxProxyV2 {
		return 0, fmt.Errorf("its header has %d bytes, of %d that it may have", length, maxProxyV2)
	}
	return proxyV2Prefix + length - len(raw), nil
}

func cameInstead(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	return Quote(string(raw))
}

// parseProxyHeader returns the source that a whole header tells.
func parseProxyHeader(raw []byte) (netip.AddrPort, error) {
	header, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("its header %s is not valid (%s)", Quote(string(raw)), strings.TrimPrefix(err.Error(), "proxyproto: "))
	}
	if header.Command.IsLocal() {
		return netip.AddrPort{}, ErrProxyCheck
	}
	announced := addrPort(header.SourceAddr)
	if a := announced.Addr(); !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a == broadcast {
		return netip.AddrPort{}, fmt.Errorf("its header gives %s as the source, which no TCP connection has", Quote(header.SourceAddr.String()))
	}
	return announced, nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// ErrUnnamedProxy is for a connection that begins with a header though it comes
// from none of the proxies. It is not believed, whatever it says.
var ErrUnnamedProxy = errors.New("it sent a PROXY header, and its address is not one of the proxies: add it to them if it is one")

// ProxySignature is how many bytes of a connection IsProxyHeader needs.
const ProxySignature = 5

// IsProxyHeader reports whether the first bytes of a connection are those of a
// PROXY header.
func IsProxyHeader(first []byte) bool {
	return len(first) >= ProxySignature && (begins(first, proxyproto.SIGV1) || begins(first, proxyproto.SIGV2))
}
