#include "connectors/blackhole/blackhole.h"

namespace millrace::connectors::blackhole {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "blackhole";
  spec.summary = "Takes every row and keeps none: for measuring a query without its sink.";
  spec.sink = true;
  spec.guarantee = Guarantee::kAtLeastOnce;
  spec.guarantee_doc = "Nothing is stored, so nothing can be told about repeats.";
  spec.sink_accepts_updates = true;
  spec.updates_need_key = false;
  spec.example = "CREATE TABLE nowhere (\n  name STRING\n) WITH ('connector' = 'blackhole');";
  return spec;
}

class BlackholeSink : public Sink {
 public:
  Status Open() override { return Status::Ok(); }
  Result<model::Epoch> LastCommitted() override { return model::Epoch{0}; }
  Status Write(const SinkBatch&) override { return Status::Ok(); }
  Status Commit(model::Epoch) override { return Status::Ok(); }
};

Result<std::unique_ptr<Sink>> NewSink(const TableContext&) {
  return std::unique_ptr<Sink>(new BlackholeSink());
}

}  // namespace

ConnectorEntry BlackholeConnector() {
  return {Spec(), nullptr, NewSink};
}

}  // namespace millrace::connectors::blackhole
