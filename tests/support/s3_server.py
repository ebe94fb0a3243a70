"""A real S3 server (versitygw) over a directory, on a free port of 127.0.0.1. It checks signatures."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPS = os.environ.get("MILLRACE_DEPS", os.path.join(ROOT, ".deps"))
sys.path.insert(0, os.path.join(ROOT, "examples", "orders"))
from servers import Server  # noqa: E402


class ObjectStore(Server):
    name = "objects"
    key_id = "millrace"
    secret = "not-a-real-secret"

    def prepare(self):
        self.bucket("data-lake")

    def bucket(self, name):
        os.makedirs(os.path.join(self.directory, "buckets", name), exist_ok=True)

    def command(self):
        return [os.path.join(DEPS, "versitygw", "versitygw"), "--access", self.key_id, "--secret",
                self.secret, "--port", "127.0.0.1:%d" % self.port, "--quiet", "posix",
                os.path.join(self.directory, "buckets")]

    def environment(self):
        return {"S3_ENDPOINT": "127.0.0.1:%d" % self.port, "S3_KEY_ID": self.key_id,
                "S3_SECRET": self.secret}

    def iceberg_properties(self):
        """As Iceberg's clients want to know of it."""
        return {"s3.endpoint": "http://127.0.0.1:%d" % self.port, "s3.path-style-access": "true",
                "client.region": "us-east-1", "s3.region": "us-east-1", "s3.access-key-id": self.key_id,
                "s3.secret-access-key": self.secret}

    def delta_options(self):
        """As deltalake's Python client takes them."""
        return {"AWS_ENDPOINT_URL": "http://127.0.0.1:%d" % self.port, "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": self.key_id,
                "AWS_SECRET_ACCESS_KEY": self.secret}

    def attach(self, connection):
        """Lets a connection of DuckDB's Python client read the store."""
        connection.execute("SET extension_directory = '%s/duckdb-1.5.5/extensions'" % DEPS)
        connection.execute("LOAD httpfs")
        connection.execute(
            "CREATE SECRET (TYPE s3, KEY_ID '%s', SECRET '%s', ENDPOINT '127.0.0.1:%d', "
            "REGION 'us-east-1', URL_STYLE 'path', USE_SSL false)"
            % (self.key_id, self.secret, self.port))
        return connection
