#!/usr/bin/python3
"""ncclient as a manager that a test drives.

Arguments: HOST PORT USER. The password comes in the environment variable
MANAGER_PASSWORD, or a key file in MANAGER_KEY. With MANAGER_BASE=1.0 it offers
no other base version. Each line on standard input is
a JSON array, the name of a command and its arguments; each is answered by one
line, an object with "ok" or "error". The first line that is written, before
any command, says how connecting went.
"""

import json
import os
import sys

from ncclient import manager
from ncclient.devices.default import DefaultDeviceHandler
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

TIMEOUT = 30


def config(text):
    return '<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">' + text + "</config>"


def take_notification(m):
    notification = m.take_notification(timeout=TIMEOUT)
    if notification is None:
        raise TimeoutError("no notification in time")
    return notification.notification_xml


COMMANDS = {
    "get-config": lambda m, source: m.get_config(source).xml,
    "lock": lambda m, target: m.lock(target).xml,
    "unlock": lambda m, target: m.unlock(target).xml,
    "edit-config": lambda m, target, text: m.edit_config(target=target, config=config(text)).xml,
    "copy-config": lambda m, source, target: m.copy_config(source, target).xml,
    "kill-session": lambda m, session: m.kill_session(session).xml,
    "commit": lambda m: m.commit().xml,
    "subscribe": lambda m: m.create_subscription().xml,
    "notification": take_notification,
    "rpc": lambda m, text: m.dispatch(to_ele(text)).xml,
    "close": lambda m: m.close_session().xml,
}


class OldHandler(DefaultDeviceHandler):
    """A client from before base:1.1."""

    _BASE_CAPABILITIES = [c for c in DefaultDeviceHandler._BASE_CAPABILITIES if not c.endswith(":base:1.1")]


def answer(**what):
    print(json.dumps(what), flush=True)


def connect(host, port, user):
    how = {"password": os.environ.get("MANAGER_PASSWORD")}
    if os.environ.get("MANAGER_KEY"):
        how = {"key_filename": os.environ["MANAGER_KEY"]}
    if os.environ.get("MANAGER_BASE") == "1.0":
        how["device_params"] = {"handler": OldHandler}
    return manager.connect(
        host=host, port=int(port), username=user, hostkey_verify=False,
        allow_agent=False, look_for_keys=False, timeout=TIMEOUT, **how)


def main(host, port, user):
    try:
        m = connect(host, port, user)
    except Exception as e:
        answer(error="%s: %s" % (type(e).__name__, e))
        return 1
    answer(ok=m.session_id)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer(ok=COMMANDS[name](m, *arguments))
        except RPCError as e:
            answer(error="%s: %s" % (e.tag, e))
        except Exception as e:
            answer(error="%s: %s" % (type(e).__name__, e))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
