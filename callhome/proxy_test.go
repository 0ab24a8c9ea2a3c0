package callhome

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fromConn is a connection from an address.
type fromConn struct {
	net.Conn
	from string
}

func (c fromConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}

const (
	proxyAt = "10.0.0.7:4000"
	sshLine = "SSH-2.0-x\r\n"
	sigV2   = "\r\n\r\n\x00\r\nQUIT\n"
	// of 192.0.2.1 port 1234, to 203.0.113.2 port 4334
	headerV4 = sigV2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xcb\x00\x71\x02\x04\xd2\x10\xee"
	// of 2001:db8::1 port 1234, to 2001:db8::2 port 4334
	headerV6 = sigV2 + "\x21\x21\x00\x24" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\x04\xd2\x10\xee"
	lineV4 = "PROXY TCP4 192.0.2.1 203.0.113.2 1234 4334\r\n"
	lineV6 = "PROXY TCP6 2001:db8::1 2001:db8::2 1234 4334\r\n"
)

var someProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fe80::/64")}

// called is what Caller makes of a connection from an address on which the
// pieces come, and what is left to read behind them. The end follows at once.
func called(t *testing.T, from string, pieces ...string) (source netip.AddrPort, proxied bool, left string, err error) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		for _, piece := range pieces {
			if _, err := io.WriteString(there, piece); err != nil {
				return
			}
		}
	}()
	source, proxied, err = Caller(t.Context(), fromConn{here, from}, someProxies)
	if err == nil {
		rest, err := io.ReadAll(here)
		if err != nil {
			t.Error(err)
		}
		left = string(rest)
	}
	return source, proxied, left, err
}

func TestCallerIsWhomTheProxyTells(t *testing.T) {
	withTLVs := sigV2 + "\x21\x11\x00\x10\xc0\x00\x02\x01\xcb\x00\x71\x02\x04\xd2\x10\xee" + "\x04\x00\x01\x00"
	mapped := sigV2 + "\x21\x21\x00\x24" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xcb\x00\x71\x02" + "\x04\xd2\x10\xee"
	longest := "PROXY TCP6 " + strings.Repeat("ffff:", 7) + "ffff " + strings.Repeat("ffff:", 7) + "ffff 65535 65535\r\n"
	for _, tt := range []struct{ name, header, want string }{
		{"version 1, IPv4", lineV4, "192.0.2.1:1234"},
		{"version 1, IPv6", lineV6, "[2001:db8::1]:1234"},
		{"version 1 of nginx on a socket of both", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:203.0.113.2 1234 4334\r\n", "192.0.2.1:1234"},
		{"version 2, IPv4", headerV4, "192.0.2.1:1234"},
		{"version 2, IPv6", headerV6, "[2001:db8::1]:1234"},
		{"version 2, IPv4 in IPv6", mapped, "192.0.2.1:1234"},
		{"somebody on the proxy's own machine", "PROXY TCP4 10.0.0.7 203.0.113.2 1234 4334\r\n", "10.0.0.7:1234"},
		{"version 2, more than the addresses", withTLVs, "192.0.2.1:1234"},
	} {
		for _, from := range []string{proxyAt, "[::ffff:10.0.0.7]:4000", "[fe80::1%eth0]:4000"} {
			source, proxied, left, err := called(t, from, tt.header+sshLine)
			if err != nil || !proxied || source.String() != tt.want || left != sshLine {
				t.Errorf("%s from %s: %s, proxied %v, then %q, error %v", tt.name, from, source, proxied, left, err)
			}
		}
		if _, _, left, err := called(t, proxyAt, strings.Split(tt.header, "")...); err != nil || left != "" {
			t.Errorf("%s, byte for byte: %q, error %v", tt.name, left, err)
		}
		for n := 1; n < len(tt.header); n++ {
			if _, _, _, err := called(t, proxyAt, tt.header[:n]); err == nil || errors.Is(err, ErrProxyCheck) {
				t.Fatalf("%s, cut behind %d bytes: error %v", tt.name, n, err)
			}
		}
	}
	if _, _, _, err := called(t, proxyAt, longest); err == nil || strings.Contains(err.Error(), "more than") {
		t.Errorf("a header of %d bytes: error %v", len(longest), err) // its address is nonsense
	}
}

func TestCallerThatIsNoProxy(t *testing.T) {
	for _, from := range []string{"192.0.2.9:5000", "[2001:db8::9]:5000", "[::ffff:192.0.2.9]:5000", "[fe80:1::1%eth0]:5000"} {
		want := netip.AddrPortFrom(netip.MustParseAddrPort(from).Addr().Unmap(), 5000)
		source, proxied, left, err := called(t, from, lineV4)
		if err != nil || proxied || source != want || left != lineV4 {
			t.Errorf("from %s: %s, proxied %v, then %q, error %v", from, source, proxied, left, err)
		}
	}
}

func TestCallerOnAProxysOwnBehalf(t *testing.T) {
	for _, came := range []string{
		"",
		"PROXY UNKNOWN\r\n",
		"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
		"PROXY TCP4 10.0.0.7 203.0.113.2 4000 4334\r\n", // the end of the connection itself
		sigV2 + "\x20\x00\x00\x00",
		sigV2 + "\x20\x11\x00\x0c\xc0\x00\x02\x01\xcb\x00\x71\x02\x04\xd2\x10\xee",
	} {
		if _, _, _, err := called(t, proxyAt, came); !errors.Is(err, ErrProxyCheck) {
			t.Errorf("%q: error %v", came, err)
		}
	}
}

func TestCallerWithoutAValidHeader(t *testing.T) {
	unix := sigV2 + "\x21\x31\x00\xd8" + "/run/x" + strings.Repeat("\x00", 210)
	for _, tt := range []struct{ name, came, want string }{
		{"SSH", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", `it began with "SSH-2.0-Open"`},
		{"a short SSH version", sshLine, `it began with "SSH-2.0-x\r\n"`},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x01", "it began with"},
		{"half a header", lineV4[:20], `it ended behind "PROXY TCP4 192.0.2.1"`},
		{"half a header of version 2", headerV4[:20], "it ended behind"},
		{"a line without an end", "PROXY TCP4 " + strings.Repeat("1", 200), "its header has more than 107 bytes"},
		{"another family", "PROXY TCP5 192.0.2.1 203.0.113.2 1234 4334\r\n", "is not valid"},
		{"no addresses", "PROXY TCP4\r\nxx", "is not valid"},
		{"an end in the signature", "PROXY\r\nSSH-2.0-x\r\n", "is not valid"},
		{"a bad address", "PROXY TCP4 192.0.2.256 203.0.113.2 1234 4334\r\n", "is not valid"},
		{"a bad port", "PROXY TCP4 192.0.2.1 203.0.113.2 65536 4334\r\n", "is not valid"},
		{"the other family's address", "PROXY TCP4 2001:db8::1 2001:db8::2 1234 4334\r\n", "is not valid"},
		{"no address", "PROXY TCP4 0.0.0.0 203.0.113.2 1234 4334\r\n", `gives "0.0.0.0:1234" as the source`},
		{"no address of IPv6", "PROXY TCP6 :: 2001:db8::2 1234 4334\r\n", `gives "[::]:1234" as the source`},
		{"everybody's address", "PROXY TCP4 255.255.255.255 203.0.113.2 1234 4334\r\n", "as the source, which no TCP connection has"},
		{"a group's address", "PROXY TCP6 ff02::1 2001:db8::2 1234 4334\r\n", "as the source, which no TCP connection has"},
		{"a file", unix, `gives "/run/x" as the source`},
		{"UDP", strings.Replace(headerV4, "\x21\x11", "\x21\x12", 1), "as the source, which no TCP connection has"},
		{"nothing said of the family", sigV2 + "\x21\x00\x00\x00", "is not valid"},
		{"version 3", sigV2 + "\x31\x11\x00\x00", "is not valid"},
		{"too few bytes", sigV2 + "\x21\x11\x00\x04abcd", "is not valid"},
		{"too many bytes", sigV2 + "\x21\x11\xff\xff", "its header has 65535 bytes, of 4096"},
	} {
		source, _, _, err := called(t, proxyAt, tt.came)
		if err == nil || errors.Is(err, ErrProxyCheck) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
			continue
		}
		if text := err.Error(); source.String() != proxyAt || !strings.Contains(text, "10.0.0.7") || !strings.Contains(text, "proxies") {
			t.Errorf("%s from %s: %s", tt.name, source, text)
		}
	}
}

func TestCallerWaitsForAHeaderForAWhile(t *testing.T) {
	for came, want := range map[string]string{"": "there came nothing", lineV4[:9]: `there came "PROXY TCP"`, headerV4[:17]: "there came"} {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			defer there.Close()
			go func() { _, _ = io.WriteString(there, came) }()
			begin := time.Now()
			_, _, err := Caller(t.Context(), fromConn{here, proxyAt}, someProxies)
			if err == nil || errors.Is(err, ErrProxyCheck) || !strings.Contains(err.Error(), want) {
				t.Errorf("after %q: error %v", came, err)
			}
			if took := time.Since(begin); took != proxyHeaderTimeout {
				t.Errorf("after %q: it took %s", came, took)
			}
		})
	}
}

func TestCallerEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := Caller(ctx, fromConn{here, proxyAt}, someProxies); err == nil {
			t.Error("no error")
		}
		if ctx.Err() == nil {
			t.Error("it ended before its context")
		}
	})
}

func FuzzProxyHeader(f *testing.F) {
	for _, header := range []string{lineV4, lineV6, headerV4, headerV6, "PROXY UNKNOWN\r\n", sigV2 + "\x20\x00\x00\x00"} {
		f.Add([]byte(header + sshLine))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := strings.NewReader(string(in))
		raw, err := readProxyHeader(r)
		if len(raw) > proxyV2Prefix+maxProxyV2 || len(raw)+r.Len() != len(in) {
			t.Fatalf("%d bytes read, %d left of %d", len(raw), r.Len(), len(in))
		}
		if err != nil {
			return
		}
		if source, err := parseProxyHeader(raw); err == nil && (!source.IsValid() || source.Addr().Is4In6()) {
			t.Fatalf("source %s of %q", source, raw)
		}
	})
}
