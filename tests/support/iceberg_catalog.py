"""Iceberg's own REST catalog (iceberg/IcebergCatalog.java) on a free port of 127.0.0.1."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPS = os.environ.get("MILLRACE_DEPS", os.path.join(ROOT, ".deps"))
sys.path.insert(0, os.path.join(ROOT, "examples", "orders"))
from servers import Server  # noqa: E402


class IcebergCatalog(Server):
    name = "iceberg"

    def command(self):
        place = os.path.join(DEPS, "iceberg")
        return ["java", "-Xmx256m", "-cp", "%s/classes:%s/jars/*" % (place, place), "IcebergCatalog",
                str(self.port), self.directory]

    def url(self):
        return "http://127.0.0.1:%d" % self.port
