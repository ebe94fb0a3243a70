"""What kafka_security_test.sh asks the Python clients to do: kafka_security.py PHASE PORT."""
import os
import sys
import time

import confluent_kafka
import kafka
import kafka.errors
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType,
                                   AdminClient, ResourcePatternType, ResourceType,
                                   ScramCredentialInfo, ScramMechanism,
                                   UserScramCredentialDeletion, UserScramCredentialUpsertion)

PHASE, PORT = sys.argv[1], sys.argv[2]
BROKERS = f"127.0.0.1:{PORT}"
DEADLINE_S = 120
ADMIN = ("admin", os.environ["ADMIN_PASSWORD"])


def check(condition, what):
    if not condition:
        sys.exit(f"{PHASE}: {what}")


def login(user, password, mechanism="SCRAM-SHA-512"):
    return {"bootstrap.servers": BROKERS, "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password}


def produces(configuration, topic="orders"):
    """What librdkafka says of one record: None when it is stored."""
    errors = []
    producer = confluent_kafka.Producer(
        {**configuration, "message.timeout.ms": 60_000, "error_cb": errors.append})
    results = []
    producer.produce(topic, b"x", on_delivery=lambda error, _: results.append(error))
    deadline = time.monotonic() + DEADLINE_S
    while not results and time.monotonic() < deadline:
        producer.poll(0.1)
        refused = [e for e in errors if e.code() == confluent_kafka.KafkaError._AUTHENTICATION]
        if refused:
            return refused[0]
    check(results, f"no answer, and no refusal: {errors}")
    return results[0]


def python_login(user, password, mechanism, patience_ms=60_000):
    try:
        producer = kafka.KafkaProducer(
            bootstrap_servers=BROKERS, security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=mechanism, sasl_plain_username=user, sasl_plain_password=password,
            api_version_auto_timeout_ms=patience_ms, max_block_ms=patience_ms)
        producer.send("orders", b"y").get(DEADLINE_S)
        producer.close()
        return True
    except kafka.errors.KafkaError:
        return False


def users():
    admin = AdminClient(login(*ADMIN))
    for mechanism, name in ((ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-256"),
                            (ScramMechanism.SCRAM_SHA_512, "SCRAM-SHA-512")):
        user = f"user of {name}"
        upsertion = UserScramCredentialUpsertion(
            user, ScramCredentialInfo(mechanism, 8192), b"its password")
        admin.alter_user_scram_credentials([upsertion])[user].result(DEADLINE_S)
        check(produces(login(user, "its password", name)) is None, f"{user} produces")
        check(python_login(user, "its password", name), f"{user} by kafka-python")
        check(not python_login(user, "wrong", name, patience_ms=3000),
              f"{user} with a wrong password")
        check(produces(login(user, "wrong", name)) is not None, f"{user} with a wrong password")
    described = admin.describe_user_scram_credentials().result(DEADLINE_S)
    check(sorted(described) == ["admin", "user of SCRAM-SHA-256", "user of SCRAM-SHA-512"],
          f"users: {sorted(described)}")
    check(python_login(*ADMIN, "PLAIN"), "PLAIN by kafka-python")


def users_after_restart():
    admin = AdminClient(login(*ADMIN))
    user = "user of SCRAM-SHA-256"
    check(produces(login(user, "its password", "SCRAM-SHA-256")) is None, f"{user} produces")
    deletion = UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)
    admin.alter_user_scram_credentials([deletion])[user].result(DEADLINE_S)
    check(produces(login(user, "its password", "SCRAM-SHA-256")) is not None, f"{user} is gone")


def bob_with_tls(**more):
    return {**login("bob", os.environ["BOB_PASSWORD"]), "security.protocol": "SASL_SSL",
            "bootstrap.servers": f"127.0.0.1:{os.environ['SASL_SSL_PORT']}",
            "ssl.ca.location": os.environ["CA"], **more}


def error_of(future):
    try:
        future.result(DEADLINE_S)
        return None
    except confluent_kafka.KafkaException as e:
        return e.args[0].code()


def first_error(consumer):
    """The error that a consumer meets, or None when it gets a record first."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None:
            return message.error().code() if message.error() else None
    sys.exit(f"{PHASE}: neither a record nor an error within {DEADLINE_S} s")


def permissions():
    codes = confluent_kafka.KafkaError
    denied = produces(bob_with_tls(), "private")
    check(denied is not None and denied.code() == codes.TOPIC_AUTHORIZATION_FAILED,
          f"bob writes to private: {denied}")
    check(produces(bob_with_tls()) is None, "bob writes to orders")
    for group, topic, expected in (("shop", "orders", None),
                                   ("other", "orders", codes.GROUP_AUTHORIZATION_FAILED),
                                   ("shop", "private", codes.TOPIC_AUTHORIZATION_FAILED)):
        consumer = confluent_kafka.Consumer(
            bob_with_tls(**{"group.id": group, "auto.offset.reset": "earliest"}))
        consumer.subscribe([topic])
        error = first_error(consumer)
        check(error == expected, f"bob reads {topic} as {group}: {error}")
        consumer.close()

    bob = AdminClient(bob_with_tls())
    new = confluent_kafka.admin.NewTopic("bobs", 1, 1)
    error = error_of(bob.create_topics([new])["bobs"])
    check(error == codes.TOPIC_AUTHORIZATION_FAILED, f"bob creates a topic: {error}")
    binding = AclBinding(ResourceType.TOPIC, "bob", ResourcePatternType.PREFIXED, "User:bob", "*",
                         AclOperation.ALL, AclPermissionType.ALLOW)
    error = error_of(bob.create_acls([binding])[binding])
    check(error == codes.CLUSTER_AUTHORIZATION_FAILED, f"bob gives himself a permission: {error}")
    admin = AdminClient(login(*ADMIN))
    admin.create_acls([binding])[binding].result(DEADLINE_S)
    check(error_of(bob.create_topics([new])["bobs"]) is None, "bob creates a topic that he may")
    every = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, "User:bob", None,
                             AclOperation.ANY, AclPermissionType.ANY)
    found = admin.describe_acls(every).result(DEADLINE_S)
    check(len(found) == 4 and binding in found, f"bob's permissions: {found}")
    gone = admin.delete_acls([every])[every].result(DEADLINE_S)
    check(gone == [binding], f"of them deleted, those of millrace.yml not: {gone}")


def flood(client_id, count):
    """Writes `count` records of 20 kB; what the client was told of being throttled."""
    throttled = []
    producer = confluent_kafka.Producer(
        {**login(*ADMIN), "client.id": client_id, "batch.size": 100_000,
         "throttle_cb": throttled.append})
    for _ in range(count):
        producer.produce("flood", b"x" * 20_000)
    check(producer.flush(3 * DEADLINE_S) == 0, "producer.flush")
    return throttled


def quotas():
    """1.2 MB at 200 kB/s: a second's worth at once, then the rate, in both directions."""
    count = 60
    start = time.monotonic()
    throttled = flood("slow", count)
    producing_s = time.monotonic() - start
    check(throttled and producing_s > 3, f"throttled {len(throttled)} times, {producing_s:.1f} s")
    start = time.monotonic()
    consumer = confluent_kafka.Consumer(
        {**login(*ADMIN), "client.id": "slow", "group.id": "slow", "auto.offset.reset": "earliest",
         "max.partition.fetch.bytes": 100_000})
    consumer.subscribe(["flood"])
    got = 0
    while got < count and time.monotonic() - start < 3 * DEADLINE_S:
        message = consumer.poll(0.5)
        got += message is not None and message.error() is None
    consumer.close()
    consuming_s = time.monotonic() - start
    check(got == count and consuming_s > 3, f"{got} records read in {consuming_s:.1f} s")
    check(not flood("quick", count), "another client id is throttled")


{"users": users, "permissions": permissions, "quotas": quotas, "users-after-restart": users_after_restart}[PHASE]()
