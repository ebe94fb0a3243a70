"""A Spark Thrift server (HiveServer2's protocol) of PyPI's pyspark, with Delta Lake, on 127.0.0.1 and a free port.

Its catalog is Hive's, in a Derby database in memory; tables lie in the given directory.
"""
import os
import re
import subprocess
import time

from pyhive import exc, hive

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEPS = os.environ.get("MILLRACE_DEPS", os.path.join(ROOT, ".deps"))
# What Spark opens of Java 17 (JavaModuleOptions).
OPENED = ("java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent "
          "java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar")
SETTINGS = {
    "spark.master": "local[2]",
    "spark.app.name": "thrift",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",  # the tests' rows are few: compiling code for them takes longer
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.stats.collect": "false",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
    "spark.hadoop.hive.server2.thrift.port": "0",
    "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
}


class SparkThriftServer:
    def __init__(self, directory, **settings):
        """settings: Spark's, with _ for dots."""
        os.makedirs(directory)
        home = os.path.join(DEPS, "spark")
        spark = next(os.path.join(home, "lib", name, "site-packages", "pyspark")
                     for name in os.listdir(os.path.join(home, "lib")) if name.startswith("python"))
        given = SETTINGS | {"spark.sql.warehouse.dir": os.path.join(directory, "warehouse")}
        given |= {name.replace("_", "."): value for name, value in settings.items()}
        command = ["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        command += ["--add-opens=java.base/%s=ALL-UNNAMED" % package for package in OPENED.split()]
        command += ["-D%s=%s" % setting for setting in given.items()]
        command += ["-Djava.io.tmpdir=" + directory, "-Dderby.system.home=" + directory,
                    "-cp", os.path.join(spark, "jars", "*") + ":" + os.path.join(home, "jars", "*"),
                    "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"]
        self.log = os.path.join(directory, "log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log,
                                            env=os.environ | {"SPARK_HOME": spark, "SPARK_LOCAL_IP": "127.0.0.1"})
        self.port, self.cursor = None, None

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait(self):
        deadline = time.monotonic() + 600
        while self.port is None:
            started = re.search(r"Starting ThriftBinaryCLIService on port (\d+)", self.said())
            if started and "HiveThriftServer2 started" in self.said():
                self.port = int(started.group(1))
            elif self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("FAILED: the Thrift server does not start\n" + self.said()[-4000:])
            else:
                time.sleep(0.05)

    def ask(self, statement):
        """All rows, as Python's values; [] of a statement without an answer."""
        if self.cursor is None:
            self.cursor = hive.connect("127.0.0.1", self.port, username="test").cursor()
        self.cursor.execute(statement)
        try:
            return self.cursor.fetchall()
        except exc.ProgrammingError:
            return []

    def stop(self):
        if self.cursor is not None:
            self.cursor = None
        self.process.kill()
        self.process.wait()
