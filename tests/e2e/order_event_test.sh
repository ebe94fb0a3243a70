#!/usr/bin/env bash
# The OrderEvent that the reference pipeline validates with pydantic, as a table with CHECKs: each
# case is sent to the collector, whose verdict must be the recorded one. Where pydantic is installed,
# its verdicts are asked for as well: cases marked "=" must agree, those marked "!" must not (they are
# the deliberate differences, each with its reason). Then the same table, made from a JSON Schema.
#
#   tests/e2e/order_event_test.sh [BINARY]     default: build/release/millrace
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "${1:-$root/build/release/millrace}")
work=$(mktemp -d)
dev=
cleanup() {
  [ -z "$dev" ] || { kill -TERM "$dev" 2> /dev/null || true; wait "$dev" 2> /dev/null || true; }
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

mkdir -p "$work/shop/sql"
cat > "$work/shop/sql/orders.sql" <<'SQL'
CREATE TABLE orders (
  order_id STRING NOT NULL,
  user_id STRING NOT NULL,
  product_id STRING NOT NULL,
  quantity INT NOT NULL,
  total_price DOUBLE NOT NULL,
  currency STRING NOT NULL,
  `timestamp` TIMESTAMP(3) NOT NULL,
  CONSTRAINT quantity_must_be_positive CHECK (quantity > 0) ON VIOLATION DEAD LETTER,
  CONSTRAINT currency_must_be_valid
    CHECK (currency IN ('USD', 'EUR', 'GBP', 'JPY', 'CNY')) ON VIOLATION DEAD LETTER
) WITH (
  'connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'embedded',
  'format' = 'json'
);
SQL
cat > "$work/orders2.json" <<'JSON'
{"$defs": {"money": {"type": "number", "minimum": 0}},
 "type": "object", "required": ["order_id", "quantity", "currency"], "additionalProperties": false,
 "properties": {
   "order_id": {"type": "string", "minLength": 1, "pattern": "^ord_[0-9]+$"},
   "quantity": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 1},
   "total_price": {"anyOf": [{"$ref": "#/$defs/money"}, {"type": "null"}]},
   "currency": {"enum": ["USD", "EUR"], "type": "string"},
   "timestamp": {"type": "string", "format": "date-time"},
   "tags": {"type": "array", "items": {"type": "string"}},
   "address": {"type": "object", "properties": {"zip": {"type": "integer", "minimum": 1}}}}}
JSON
"$binary" schema import "$work/orders2.json" --table orders2 > "$work/shop/sql/orders2.sql"
for line in '-- not carried over: additionalProperties' '-- not carried over: minimum of address.zip' \
  '  `order_id` STRING NOT NULL,' '  `total_price` DOUBLE,' '  `tags` ARRAY<STRING>,' \
  '  `address` ROW<`zip` BIGINT>,'; do
  grep -qxF -- "$line" "$work/shop/sql/orders2.sql" || fail "no \"$line\" in $(cat "$work/shop/sql/orders2.sql")"
done
"$binary" schema import "$work/shop/sql/orders.sql" --table x > /dev/null 2>&1 && fail "SQL is no JSON Schema"
"$binary" validate "$work/shop" > "$work/out" 2>&1 || fail "$(cat "$work/out")"

"$binary" dev "$work/shop" --port 0 > "$work/dev.log" 2>&1 &
dev=$!
until grep -q "Ctrl-C stops it" "$work/dev.log"; do
  kill -0 "$dev" 2> /dev/null || fail "$(cat "$work/dev.log")"
  sleep 0.05
done
url=$(grep -o 'http://[0-9.:]*' "$work/dev.log" | head -n 1)

python3 - "$url" <<'PYTHON'
import copy, json, sys, urllib.error, urllib.request
url = sys.argv[1]
kGood = {"order_id": "ord_789", "user_id": "u1", "product_id": "p1", "quantity": 2,
         "total_price": 59.98, "currency": "USD", "timestamp": "2025-07-24T10:30:00Z"}

def With(**changes):
    return {**kGood, **changes}

def Without(name):
    return {key: value for key, value in kGood.items() if key != name}

# What it is, the event, accepted?, "=" as pydantic or "!" for a difference.
kCases = [
    ("as it should be", kGood, True, "="),
    ("a further field", With(note="x"), True, "="),
    ("a whole price", With(total_price=60), True, "="),
    ("a negative price: nobody forbids it", With(total_price=-1.5), True, "="),
    ("quantity 0", With(quantity=0), False, "="),
    ("quantity -1", With(quantity=-1), False, "="),
    ("quantity as a word", With(quantity="three"), False, "="),
    ("quantity 2.5", With(quantity=2.5), False, "="),
    ("quantity null", With(quantity=None), False, "="),
    ("quantity an array", With(quantity=[1]), False, "="),
    ("price as a word", With(total_price="cheap"), False, "="),
    ("price null", With(total_price=None), False, "="),
    ("currency unknown", With(currency="DOGE"), False, "="),
    ("currency in small letters", With(currency="usd"), False, "="),
    ("currency empty", With(currency=""), False, "="),
    ("currency null", With(currency=None), False, "="),
    ("an order id of no characters", With(order_id=""), True, "="),
    ("order id null", With(order_id=None), False, "="),
    ("timestamp no time", With(timestamp="yesterday"), False, "="),
    ("timestamp null", With(timestamp=None), False, "="),
    ("timestamp month 13", With(timestamp="2025-13-01T00:00:00Z"), False, "="),
] + [(name + " missing", Without(name), False, "=") for name in kGood] + [
    ("every currency: " + one, With(currency=one), True, "=")
    for one in ("USD", "EUR", "GBP", "JPY", "CNY")]
# An INT has 32 bits, an int of Python any number: declare BIGINT where that matters.
kCases.append(("quantity 3000000000", With(quantity=3_000_000_000), False, "!"))

def Post(topic, body):
    request = urllib.request.Request(url + "/v1/events/" + topic, data=body.encode())
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)

def Pydantic():
    try:
        import datetime, warnings
        warnings.simplefilter("ignore")
        from pydantic import BaseModel, validator
    except ImportError:
        return None

    class OrderEvent(BaseModel):
        order_id: str
        user_id: str
        product_id: str
        quantity: int
        total_price: float
        currency: str
        timestamp: datetime.datetime

        @validator("quantity")
        def quantity_must_be_positive(cls, v):
            if v <= 0:
                raise ValueError("quantity must be positive")
            return v

        @validator("currency")
        def currency_must_be_valid(cls, v):
            if v not in {"USD", "EUR", "GBP", "JPY", "CNY"}:
                raise ValueError("currency")
            return v
    return OrderEvent

model = Pydantic()
faults = 0
for name, event, wanted, relation in kCases:
    status, answer = Post("orders", json.dumps(event))
    accepted = status == 202
    if accepted != wanted:
        faults += 1
        print("FAILED: %s: %s" % (name, answer))
    if model is None:
        continue
    try:
        model(**copy.deepcopy(event))
        theirs = True
    except Exception:
        theirs = False
    if (theirs == wanted) != (relation == "="):
        faults += 1
        print("FAILED: %s: pydantic %s it" % (name, "accepts" if theirs else "refuses"))

kImported = [
    ({"order_id": "ord_1", "quantity": 1, "currency": "EUR"}, True),
    ({"order_id": "ord_1", "quantity": 1, "currency": "EUR", "total_price": None}, True),
    ({"order_id": "ord_1", "quantity": 1, "currency": "EUR", "total_price": -1}, False),
    ({"order_id": "x1", "quantity": 1, "currency": "EUR"}, False),
    ({"order_id": "ord_1", "quantity": 0, "currency": "EUR"}, False),
    ({"order_id": "ord_1", "quantity": 1, "currency": "GBP"}, False),
    ({"order_id": "ord_1", "currency": "GBP"}, False),
    ({"order_id": "ord_1", "quantity": 1, "currency": "EUR", "tags": ["a"],
      "address": {"zip": 5}, "timestamp": "2025-07-24T10:30:00Z"}, True),
]
for event, wanted in kImported:
    status, answer = Post("orders2", json.dumps(event))
    if (status == 202) != wanted:
        faults += 1
        print("FAILED: imported: %s: %s" % (event, answer))
if faults:
    sys.exit("%d faults" % faults)
print("ok: %d cases as recorded%s; %d against the imported schema" % (
    len(kCases), " and as pydantic says" if model else "; pydantic is not installed",
    len(kImported)))
PYTHON
