#!/usr/bin/env bash
# Who may do what at the Kafka port, by real clients: kcat, kafka-python and confluent-kafka
# (librdkafka). First SASL alone; then four listeners with SASL and TLS in every combination,
# permissions and quotas.
#
#   tests/e2e/kafka_security_test.sh [BINARY]     default: build/release/millrace
#
# kcat and the Python clients come from scripts/setup.sh.
set -euo pipefail
. "$(dirname "$0")/dev_server.sh"
python=$deps/kafka-clients/bin/python
start() {
  start_dev "$work/shop" --port 0
  wait_for 180 "the Kafka port opens" port_opens "$port"
}
stop() { stop_dev || fail "dev ended with $?"; }
clients() { # phase
  "$python" "$root/tests/e2e/kafka_security.py" "$1" "$port" || fail "$1"
}

mkdir -p "$work/shop/sql"
port=$(free_port)
export ADMIN_PASSWORD="admin's secret"
cat > "$work/shop/millrace.yml" <<YAML
name: shop
topics: {orders: {partitions: 2}}
kafka:
  listen: "127.0.0.1:$port"
  sasl:
    users:
      admin: {password: "\${env:ADMIN_PASSWORD}"}
YAML
start
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
  login=(-X security.protocol=SASL_PLAINTEXT -X "sasl.mechanism=$mechanism" -X sasl.username=admin)
  echo "$mechanism" | kcat -b "127.0.0.1:$port" "${login[@]}" -X "sasl.password=$ADMIN_PASSWORD" \
    -P -t orders -p 0 || fail "kcat -P with $mechanism"
  ! kcat -b "127.0.0.1:$port" "${login[@]}" -X sasl.password=wrong -L -m 2 2> /dev/null ||
    fail "kcat with a wrong password, $mechanism"
done
[ "$(kcat -b "127.0.0.1:$port" "${login[@]}" -X "sasl.password=$ADMIN_PASSWORD" -C -t orders -e -q |
  wc -l)" = 3 ] || fail "kcat -C"
! kcat -b "127.0.0.1:$port" -L -m 2 2> /dev/null || fail "kcat without a login"
clients users
stop
start
clients users-after-restart
stop

# A CA with a server's and two clients' certificates; another CA with a client's.
certificate() { # name, subject, CA, extension
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2" 2> /dev/null
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -out "$1.pem" \
    -extfile <(echo "$4") 2> /dev/null
}
(
  cd "$work/shop"
  for ca in ca other-ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -out $ca.pem -subj "/CN=$ca" 2> /dev/null
  done
  certificate server /CN=server ca "subjectAltName=DNS:localhost,IP:127.0.0.1"
  # The server's key is encrypted.
  openssl pkcs8 -topk8 -v2 aes256 -in server.key -out server.enc -passout "pass:key's secret"
  mv server.enc server.key
  certificate carol "/O=Shop/CN=carol" ca "extendedKeyUsage=clientAuth"
  certificate stranger /CN=stranger other-ca "extendedKeyUsage=clientAuth"
) || fail "no certificates by openssl"
sasl=$port
sasl_ssl=$(free_port)
ssl=$(free_port)
plain=$(free_port)
export BOB_PASSWORD="bob's secret" KEY_PASSWORD="key's secret"
cat > "$work/shop/millrace.yml" <<YAML
name: shop
topics: {orders: {partitions: 2}, private: {}, flood: {}}
kafka:
  listeners:
    - {listen: "127.0.0.1:$sasl", tls: false}
    - {listen: "127.0.0.1:$sasl_ssl", advertised: "localhost:$sasl_ssl"}
    - {listen: "127.0.0.1:$ssl", sasl: false}
    - {listen: "127.0.0.1:$plain", sasl: false, tls: false}
  tls: {certificate: server.pem, key: server.key, key-password: "\${env:KEY_PASSWORD}", ca: ca.pem, client-auth: requested}
  sasl:
    users:
      admin: {password: "\${env:ADMIN_PASSWORD}"}
      bob: {password: "\${env:BOB_PASSWORD}"}
  acls:
    super-users: [admin]
    rules:
      - {user: bob, allow: [read, write], topic: "ord*"}
      - {user: bob, allow: read, group: shop}
      - {user: "CN=carol,O=Shop", allow: describe, topic: orders}
      - {user: ANONYMOUS, allow: describe, topic: flood}
  quotas:
    - {user: admin, client-id: slow, producer-byte-rate: 200 kB, consumer-byte-rate: 200 kB}
YAML
start
ca=(-X "ssl.ca.location=$work/shop/ca.pem")
carol=(-X "ssl.certificate.location=$work/shop/carol.pem" -X "ssl.key.location=$work/shop/carol.key")
stranger=(-X "ssl.certificate.location=$work/shop/stranger.pem" -X "ssl.key.location=$work/shop/stranger.key")
sees() { # port, topics that are seen, options of kcat
  local at=$1 topics=$2
  shift 2
  [ "$(kcat -b "127.0.0.1:$at" "$@" -L -m 60 2> "$work/kcat.err" |
    sed -n 's/^  topic "\(.*\)" with.*/\1/p' | sort | paste -sd' ' -)" = "$topics" ] ||
    fail "topics seen at port $at ($*): $(cat "$work/kcat.err")"
}
bob=(-X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=bob -X "sasl.password=$BOB_PASSWORD")
sees "$plain" flood
sees "$sasl" orders -X security.protocol=SASL_PLAINTEXT "${bob[@]}"
sees "$sasl_ssl" orders -X security.protocol=SASL_SSL "${ca[@]}" "${bob[@]}"
sees "$ssl" orders -X security.protocol=SSL "${ca[@]}" "${carol[@]}"
sees "$ssl" flood -X security.protocol=SSL "${ca[@]}"
for wrong in "-X security.protocol=SSL ${stranger[*]} ${ca[*]}" \
  "-X security.protocol=SSL -X ssl.ca.location=$work/shop/other-ca.pem" "-X security.protocol=PLAINTEXT"; do
  # shellcheck disable=SC2086
  ! kcat -b "127.0.0.1:$ssl" $wrong -L -m 2 > /dev/null 2>&1 || fail "kcat with $wrong"
done
kcat -b "127.0.0.1:$sasl_ssl" -X security.protocol=SASL_SSL "${ca[@]}" "${bob[@]}" -L -m 60 |
  grep -q "broker 1 at localhost:$sasl_ssl" || fail "a listener's own address is not advertised"

# Another certificate, while a client reads: new connections get it, the one that is there stays.
shown() { openssl s_client -connect "127.0.0.1:$ssl" < /dev/null 2> /dev/null | openssl x509 -noout -subject 2> /dev/null; }
is_renewed() { shown | grep -q 'CN = renewed'; }
shown | grep -q 'CN = server' || fail "the server's certificate: $(shown)"
kcat -b "127.0.0.1:$sasl_ssl" -X security.protocol=SASL_SSL "${ca[@]}" "${bob[@]}" -C -t orders -o beginning -u -q \
  > "$work/read" 2> "$work/reader.err" &
reader=$!
wait_for 180 "a client reads" test -s "$work/read"
(
  cd "$work/shop"
  certificate renewed /CN=renewed ca "subjectAltName=DNS:localhost,IP:127.0.0.1"
  mv renewed.key server.key # not encrypted: then the password is not needed
  mv renewed.pem server.pem
) || fail "no second certificate"
wait_for 180 "new connections get the new certificate" is_renewed
echo renewed | kcat -b "127.0.0.1:$sasl_ssl" -X security.protocol=SASL_SSL "${ca[@]}" "${bob[@]}" -P -t orders ||
  fail "writing with the new certificate"
wait_for 180 "the client reads on" grep -qx renewed "$work/read"
kill "$reader" && wait "$reader" || true
! grep -E 'FAIL|Disconnected' "$work/reader.err" || fail "the connection that was there was dropped"
mv "$work/reader.err" "$work/reader.log"

SASL_SSL_PORT=$sasl_ssl CA=$work/shop/ca.pem clients permissions
clients quotas
stop
! grep -F "$ADMIN_PASSWORD" "$work/dev.log" || fail "the log shows a password"
grep -q 'login refused: peer=127.0.0.1 mechanism=PLAIN user="admin"' "$work/dev.log" ||
  fail "a refused login is not logged"
! grep -E '^[^ ]+ E ' "$work/dev.log" || fail "the server has logged an error"
echo "1 passed, 0 failed"
