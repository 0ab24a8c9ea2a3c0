package callhome

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	// maxPacket is the longest packet of a key exchange: RFC 4253 section 6.1
	// asks implementations for 35,000 bytes.
	maxPacket = 35_000
	// A TLS record has five bytes before it, and 2^14 with at most 2,048 of
	// overhead in it (RFC 5246 section 6.2.3).
	recordHead = 5
	maxRecord  = 16_384 + 2048
)

// messageNewKeys is SSH_MSG_NEWKEYS (RFC 4253 section 7.3): what comes behind it
// is encrypted, and none of the gate's business.
const messageNewKeys = 21

// wholeSSH returns how many bytes at the start of buf are whole: the version
// line, if it begins with that, and packets that are not encrypted yet.
func wholeSSH(buf []byte) (int, error) {
	whole := versionLine(buf)
	if whole == 0 && bytes.HasPrefix(buf, []byte("SSH-")) {
		return 0, nil
	}
	for len(buf)-whole >= 4 {
		length := binary.BigEndian.Uint32(buf[whole:])
		if length > maxPacket {
			return 0, fmt.Errorf("the device sent a packet of %d bytes in the key exchange", length)
		}
		if len(buf)-whole < 4+int(length) {
			break
		}
		if length > 1 && buf[whole+5] == messageNewKeys { // behind the length of the padding
			return len(buf), nil
		}
		whole += 4 + int(length)
	}
	return whole, nil
}

// versionLine returns the length of the SSH version line that buf begins with,
// or 0. No packet is as long as one that begins like it would say.
func versionLine(buf []byte) int {
	if !bytes.HasPrefix(buf, []byte("SSH-")) {
		return 0
	}
	return bytes.IndexByte(buf, '\n') + 1
}

// wholeTLS returns how many bytes at the start of buf are whole records. What
// is no TLS is whole as it is: crypto/tls says what is wrong with it.
func wholeTLS(buf []byte) (int, error) {
	whole := 0
	for len(buf)-whole >= recordHead {
		head := buf[whole:]
		length := int(binary.BigEndian.Uint16(head[3:]))
		if head[0] < recordChangeCipherSpec || head[0] > recordApplicationData || head[1] != 3 || length > maxRecord {
			return len(buf), nil
		}
		if len(head) < recordHead+length {
			break
		}
		whole += recordHead + length
	}
	return whole, nil
}
