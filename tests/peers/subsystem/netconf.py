#!/usr/bin/python3
"""The least NETCONF server that can be a subsystem of sshd: base:1.0 alone.

Each session is a process of its own, so that what a slow manager holds up is
SSH's doing and not this server's. (yuma123's netconfd is one process: it
stands still while any one manager does not read.)

It answers every rpc with data: as many bytes as a <blob><size> asks for.
"""

import os
import re
import sys

END = b"]]>]]>"
BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
HELLO = """<hello xmlns="%s"><capabilities>\
<capability>urn:ietf:params:netconf:base:1.0</capability>\
</capabilities><session-id>%d</session-id></hello>"""
REPLY = '<rpc-reply xmlns="%s" message-id="%s"><data>%s</data></rpc-reply>'
MESSAGE_ID = re.compile(r"""<(?:\w+:)?rpc\b[^>]*?\smessage-id\s*=\s*["']([^"']*)""")


def messages():
    buffered = b""
    while True:
        part = os.read(0, 1 << 16)
        if not part:
            return
        buffered += part
        while END in buffered:
            message, buffered = buffered.split(END, 1)
            yield message.decode()


def send(text):
    sys.stdout.buffer.write(text.encode() + END)
    sys.stdout.buffer.flush()


def serve():
    send(HELLO % (BASE, os.getpid()))
    for message in messages():
        message_id = MESSAGE_ID.search(message)
        if not message_id:
            continue  # the hello
        size = re.search(r"<size>(\d+)</size>", message)
        send(REPLY % (BASE, message_id.group(1), "x" * int(size.group(1) if size else 0)))
        if "close-session" in message:
            return


serve()
