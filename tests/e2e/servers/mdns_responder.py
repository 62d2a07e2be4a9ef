# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""mdns_responder.py ADDRESS: a host and a service of it by multicast DNS, by python3-zeroconf; "ready" when both can be
asked for. mdns_responder.py ADDRESS look: looks the service up by the same library."""

import socket
import sys
import time

from zeroconf import ServiceInfo, Zeroconf

TYPE = "_probe._tcp.local."
NAME = "one." + TYPE

node = Zeroconf(interfaces=[sys.argv[1]])
if len(sys.argv) > 2:
    found = node.get_service_info(TYPE, NAME, 5000)
    print(found and found.server)
    node.close()
else:
    node.register_service(ServiceInfo(TYPE, NAME, 8080, addresses=[socket.inet_aton("192.0.2.7")],
                                      server="probe-host.local."))
    print("ready", flush=True)
    time.sleep(600)
