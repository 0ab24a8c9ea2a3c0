package netconf

import (
	"errors"
	"testing"
)

func TestParseChunkHeader(t *testing.T) {
	for _, c := range []struct {
		in   string
		size int64
		n    int
		bad  bool
	}{
		{in: ""},
		{in: "\n"},
		{in: "\n#"},
		{in: "\n#1"},
		{in: "\n#4294967295"},
		{in: "\n#1\n", size: 1, n: 4},
		{in: "\n#4294967295\nx", size: 4294967295, n: 13},
		{in: "\n##"},
		{in: "\n##\n", n: 4},
		{in: "\n##\n\n#1\n", n: 4},
		{in: "x", bad: true},
		{in: "\nx", bad: true},
		{in: "#1\n", bad: true},
		{in: "\r\n#1\n", bad: true},
		{in: "\n\n#1\n", bad: true},
		{in: "\n#\n", bad: true},
		{in: "\n#0", bad: true},
		{in: "\n#01\n", bad: true},
		{in: "\n#-1\n", bad: true},
		{in: "\n#+1\n", bad: true},
		{in: "\n# 1\n", bad: true},
		{in: "\n#1 \n", bad: true},
		{in: "\n#1\r\n", bad: true},
		{in: "\n#4294967296", bad: true},
		{in: "\n#10000000000", bad: true},
		{in: "\n#99999999999999999999999", bad: true},
		{in: "\n##x", bad: true},
		{in: "\n##\r\n", bad: true},
		{in: "\n###\n", bad: true},
	} {
		size, n, err := parseChunkHeader([]byte(c.in))
		var ferr *FramingError
		if size != c.size || n != c.n || errors.As(err, &ferr) != c.bad {
			t.Errorf("%q: got size %d, n %d, %v", c.in, size, n, err)
		}
	}
}

func TestOpenDelimiter(t *testing.T) {
	for in, want := range map[string]int{
		"": 0, "x": 0, "]": 1, "]]": 2, "]]]": 2, "x]]>": 3, "]]>]": 4, "]]>]]": 5, "]]>]]]": 2, "]]>]]x": 0, "]]>x": 0,
	} {
		if got := openDelimiter([]byte(in)); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
	}
}
