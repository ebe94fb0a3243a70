#include "serve/event_encoder.h"

namespace millrace::serve {

Result<std::unique_ptr<EventEncoder>> EventEncoder::New(const connectors::TableContext& table,
                                                        bool upsert) {
  std::unique_ptr<EventEncoder> encoder(new EventEncoder());
  MR_ASSIGN_OR_RETURN(encoder->records_, connectors::kafka::TopicRows::New(table, upsert));
  encoder->one_.InitializeEmpty(table.schema.Types());
  return encoder;
}

Result<EventEncoder::Encoded> EventEncoder::Encode(duckdb::DataChunk& rows, duckdb::idx_t row) {
  duckdb::SelectionVector only(1);
  only.set_index(0, row);
  one_.Reference(rows);
  one_.Slice(only, 1);
  records_->Clear();
  MR_RETURN_IF_ERROR(records_->Add({&one_, nullptr}));
  records_->Finish();
  const connectors::kafka::TopicRows::Record record = records_->At(0);
  Encoded encoded;
  if (record.key) encoded.key = std::string(*record.key);
  if (record.value) encoded.value = std::string(*record.value);
  return encoded;
}

}  // namespace millrace::serve
