package netconf

import "bytes"

// keepTail keeps the end of what it is given.
func (s *ReplyScanner) keepTail(p []byte) {
	if len(p) >= scanEnd {
		s.tail = append(s.tail[:0], p[len(p)-scanEnd:]...)
		return
	}
	if len(s.tail)+len(p) > cap(s.tail) {
		s.tail = s.tail[:copy(s.tail, s.tail[len(s.tail)-scanEnd:])]
	}
	s.tail = append(s.tail, p...)
}

// ending looks at the end of a reply for what stands behind the data: ok, or
// rpc-errors, which Junos wraps in an element of its own.
func (s *ReplyScanner) ending() {
	rest, root, ok := cutEndTag(s.tail)
	if !ok || localOf(root) != "rpc-reply" {
		return
	}
	before, last, ok := cutEndTag(rest)
	if !ok {
		s.ok = bytes.HasSuffix(rest, []byte("/>")) && lastTag(rest) == "ok"
		return
	}
	if localOf(last) != "rpc-error" && localOf(last) != "data" {
		rest = before
		_, last, _ = cutEndTag(rest)
	}
	for localOf(last) == "rpc-error" {
		begin := bytes.LastIndex(rest, append([]byte("<"), last...))
		if begin < 0 {
			s.failed = true // longer than what was kept
			return
		}
		one := ReplyScanner{depth: depthOperation - 1}
		_, _ = one.Write(rest[begin:])
		if one.failed || !s.failed {
			s.first = one.first
		}
		s.failed, s.warned = s.failed || one.failed, s.warned || one.warned
		rest = bytes.TrimRight(rest[:begin], " \t\r\n")
		_, last, _ = cutEndTag(rest)
	}
}

// cutEndTag returns what stands in front of the end tag, at the end of b but for
// white space, and its name.
func cutEndTag(b []byte) (before, name []byte, ok bool) {
	b = bytes.TrimRight(b, " \t\r\n")
	open := bytes.LastIndexByte(b, '<')
	if open < 0 || !bytes.HasPrefix(b[open:], []byte("</")) || b[len(b)-1] != '>' {
		return b, nil, false
	}
	name = bytes.TrimRight(b[open+2:len(b)-1], " \t\r\n")
	return bytes.TrimRight(b[:open], " \t\r\n"), name, true
}

// localOf returns the local part of a qualified name.
func localOf(name []byte) string { return string(name[bytes.IndexByte(name, ':')+1:]) }

// lastTag returns the local name of the last tag of b.
func lastTag(b []byte) string {
	tag := b[bytes.LastIndexByte(b, '<')+1:]
	if n := bytes.IndexAny(tag, " \t\r\n/>"); n >= 0 {
		tag = tag[:n]
	}
	return localOf(tag)
}
