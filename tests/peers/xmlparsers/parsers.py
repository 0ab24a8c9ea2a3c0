#!/usr/bin/python3
"""expat and libxml2, which read documents for a test.

Each document comes on standard input behind its length, four bytes in network
order. The answer to each is what expat has seen, what libxml2 has, and what
libxml2 has with the options of netconfd, each behind its length in the same way: nothing at all where the parser refuses the
document; otherwise, for each element down to the fourth level, in the order of
the start tags, \\x01, its depth, \\x02, its namespace, \\x02, its local name;
where it has text in front of its first child, \\x03 and that.
"""

import ctypes
import struct
import sys
from xml.parsers import expat

DEEPEST = 4


class Sight:
    """What one parser has seen of a document."""

    def __init__(self):
        self.parts = []

    def element(self, depth, space, local, text=""):
        if depth > DEEPEST:
            return
        self.parts.append("\x01%d\x02%s\x02%s" % (depth, space, local))
        self.text(text)

    def text(self, text):
        if text:
            self.parts.append("\x03" + text)

    def bytes(self):
        return "".join(self.parts).encode()


def with_expat(document):
    sight = Sight()
    depth = 0
    fresh = False  # no child and no end since the last start tag that counts

    def start(name, attributes):
        nonlocal depth, fresh
        depth += 1
        space, _, local = name.rpartition("\x02")
        sight.element(depth, space, local)
        fresh = depth <= DEEPEST

    def end(name):
        nonlocal depth, fresh
        depth -= 1
        fresh = False

    def text(text):
        if fresh:
            sight.text(text)

    def interrupted(*_):
        nonlocal fresh
        fresh = False

    parser = expat.ParserCreate(namespace_separator="\x02")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.CommentHandler = interrupted
    parser.ProcessingInstructionHandler = interrupted
    try:
        parser.Parse(document, True)
    except expat.ExpatError:
        return b""
    return sight.bytes()


def libxml2():
    """The library, with the types of what is called."""
    library = ctypes.CDLL("libxml2.so.2")
    reader, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("xmlReaderForMemory", reader, [text, number, text, text, number]),
        ("xmlTextReaderRead", number, [reader]),
        ("xmlTextReaderNodeType", number, [reader]),
        ("xmlTextReaderDepth", number, [reader]),
        ("xmlTextReaderConstLocalName", text, [reader]),
        ("xmlTextReaderConstNamespaceUri", text, [reader]),
        ("xmlTextReaderConstValue", text, [reader]),
        ("xmlFreeTextReader", None, [reader]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


LIBXML2 = libxml2()
ELEMENT, TEXT, CDATA, SPACE, SPACE_TOO = 1, 3, 4, 13, 14
# Of xmlParserOption. netconfd sets the first five and the last: it goes on
# behind what is wrong, and follows XInclude.
RECOVER, NOERROR, NOWARNING, NOBLANKS, NONET, XINCLUDE = 1, 32, 64, 256, 2048, 1024
STRICTLY = NOERROR | NOWARNING | NONET
AS_NETCONFD = RECOVER | NOERROR | NOWARNING | NOBLANKS | NONET | XINCLUDE


def with_libxml2(document, options):
    sight = Sight()
    reader = LIBXML2.xmlReaderForMemory(document, len(document), None, None, options)
    fresh = False
    while True:
        more = LIBXML2.xmlTextReaderRead(reader)
        if more != 1:
            break
        kind = LIBXML2.xmlTextReaderNodeType(reader)
        if kind == ELEMENT:
            depth = LIBXML2.xmlTextReaderDepth(reader) + 1
            space = LIBXML2.xmlTextReaderConstNamespaceUri(reader) or b""
            sight.element(depth, space.decode(), LIBXML2.xmlTextReaderConstLocalName(reader).decode())
            fresh = depth <= DEEPEST
        elif kind in (TEXT, CDATA, SPACE, SPACE_TOO) and fresh:
            sight.text(LIBXML2.xmlTextReaderConstValue(reader).decode())
        else:
            fresh = False
    LIBXML2.xmlFreeTextReader(reader)
    return sight.bytes() if more == 0 else b""


def answer(seen):
    sys.stdout.buffer.write(struct.pack("!I", len(seen)) + seen)


def main():
    while True:
        header = sys.stdin.buffer.read(4)
        if len(header) < 4:
            return 0
        document = sys.stdin.buffer.read(struct.unpack("!I", header)[0])
        answer(with_expat(document))
        answer(with_libxml2(document, STRICTLY))
        answer(with_libxml2(document, AS_NETCONFD))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
