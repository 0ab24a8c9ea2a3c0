#!/usr/bin/python3
"""A device that calls home, logs the gateway in, and then breaks the SSH protocol.

usage: broken.py HOST PORT HOSTKEY-FILE CALLS

On each call it accepts any login, answers the control session's hello, and
sends in one write an SSH message that nobody may send at that point, with many
data packets behind it. Prints one line for each call that got that far.
"""
import socket
import sys

import paramiko

HELLO = (
    b'<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities>'
    b"<capability>urn:ietf:params:netconf:base:1.0</capability>"
    b"</capabilities><session-id>4</session-id></hello>]]>]]>"
)
EXT_INFO, CHANNEL_DATA = b"\x07", b"\x5e"


class Open(paramiko.ServerInterface):
    """Lets everybody in."""

    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username):
        return "password"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel, name):
        return True


def message(kind):
    m = paramiko.Message()
    m.add_byte(kind)
    m.add_int(0)
    m.add_string(b"x")
    return m


def call(host, port, key):
    connection = socket.create_connection((host, port))
    transport = paramiko.Transport(connection)
    transport.add_server_key(key)
    try:
        transport.start_server(server=Open())
        channel = transport.accept(30)
        if channel is None:
            return False
        channel.recv(4096)  # the gateway's hello
        channel.sendall(HELLO)
        packets = []
        write, transport.packetizer.write_all = transport.packetizer.write_all, packets.append
        transport._send_message(message(EXT_INFO))
        for _ in range(60):
            transport._send_message(message(CHANNEL_DATA))
        transport.packetizer.write_all = write
        connection.sendall(b"".join(packets))
        while transport.is_active():  # until the gateway closes
            transport.join(0.1)
        return True
    except (OSError, EOFError, paramiko.SSHException):
        return False
    finally:
        transport.close()


def main():
    host, port, key, calls = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    key = paramiko.ECDSAKey.from_private_key_file(key)
    for _ in range(calls):
        print("broken" if call(host, port, key) else "rejected", flush=True)


main()
