"""Iceberg's own REST catalog (iceberg/IcebergCatalog.java) on a free port of 127.0.0.1."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPS = os.environ.get("MILLRACE_DEPS", os.path.join(ROOT, ".deps"))
sys.path.insert(0, os.path.join(ROOT, "examples", "orders"))
from servers import Server  # noqa: E402


class IcebergCatalog(Server):
    """`store`: an ObjectStore that has the tables in its bucket; else they are in the directory."""

    name = "iceberg"

    def __init__(self, directory, store=None, vends_credentials=False):
        super().__init__(directory)
        self.store = store
        self.vends_credentials = vends_credentials

    def command(self):
        place = os.path.join(DEPS, "iceberg")
        return ["java", "-Xmx256m", "-cp", "%s/classes:%s/jars/*" % (place, place), "IcebergCatalog",
                str(self.port), self.directory, *("%s=%s" % each for each in self.properties().items())]

    def properties(self):
        if self.store is None:
            return {}
        return {"warehouse": "s3://data-lake/warehouse", "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
                **self.store.iceberg_properties(), "include-credentials": str(self.vends_credentials).lower()}

    def url(self):
        return "http://127.0.0.1:%d" % self.port
