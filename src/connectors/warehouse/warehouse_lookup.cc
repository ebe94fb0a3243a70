#include "base/strings.h"
#include "connectors/lookup.h"
#include "connectors/warehouse/warehouse_sink.h"
#include "duck/door.h"
#include "duck/warehouse.h"

namespace millrace::connectors::warehouse {

namespace {

class WarehouseLookup : public Lookup {
 public:
  WarehouseLookup(const TableContext& table, const LookupQuery& query)
      : warehouse_(table.services.warehouse), schema_(table.schema), query_(query) {
    target_ = table.options.Has("table-name") ? table.options.GetString("table-name") : table.name;
    if (size_t dot = target_.rfind('.'); dot != std::string::npos)
      target_ = target_.substr(dot + 1);
  }

  Status Open() override {
    if (warehouse_) return Status::Ok();
    return Status(Code::kUnsupported,
                  "there is no warehouse here to look up \"" + target_ + "\" in");
  }

  Status Ask(duckdb::DataChunk& keys, LookupOutput& out) override {
    return duck::AtTheDoor([&]() -> Status {
      auto connection = warehouse_->Connect();
      auto there = connection->TableInfo("main", target_);
      if (!there) return Status::Ok();
      auto result = connection->Query(Question(keys));
      if (result->HasError()) {
        return Status(duck::FromDuckError(result->GetErrorObject()))
            .Annotate("lookup in warehouse table \"" + target_ + "\"");
      }
      while (auto chunk = result->Fetch()) {
        if (chunk->size() == 0) break;
        chunk->Flatten();
        std::vector<uint32_t> asked;
        const auto* numbers = duckdb::FlatVector::GetData<int64_t>(chunk->data[0]);
        for (duckdb::idx_t i = 0; i < chunk->size(); i++) {
          asked.push_back(static_cast<uint32_t>(numbers[i]));
        }
        duckdb::DataChunk rows;
        duckdb::vector<duckdb::LogicalType> types;
        for (size_t c : query_.columns) types.push_back(schema_.columns[c].type);
        rows.InitializeEmpty(types);
        for (size_t c = 0; c < types.size(); c++) rows.data[c].Reference(chunk->data[c + 1]);
        rows.SetCardinality(chunk->size());
        out.OnRows(rows, asked);
      }
      return Status::Ok();
    });
  }

 private:
  std::string Question(duckdb::DataChunk& keys) const {
    std::string values;
    std::vector<std::string> names = {"n"};
    std::vector<std::string> conditions;
    std::vector<std::string> columns = {"CAST(k.n AS BIGINT)"};
    for (size_t k = 0; k < query_.keys.size(); k++) {
      const std::string name = "k" + std::to_string(k);
      names.push_back(name);
      conditions.push_back("k." + name + " = t." +
                           QuoteIdentifier(schema_.columns[query_.keys[k]].name));
    }
    for (size_t c : query_.columns) {
      const model::Column& column = schema_.columns[c];
      columns.push_back("CAST(t." + QuoteIdentifier(column.name) + " AS " + column.type.ToString() +
                        ")");
    }
    for (duckdb::idx_t row = 0; row < keys.size(); row++) {
      values += (row ? ", (" : "(") + std::to_string(row);
      for (size_t k = 0; k < query_.keys.size(); k++) {
        values += ", " + keys.GetValue(k, row).ToSQLString();
      }
      values += ")";
    }
    return "SELECT " + Join(columns, ", ") + " FROM (VALUES " + values + ") AS k(" +
           Join(names, ", ") + ") JOIN main." + QuoteIdentifier(target_) + " AS t ON " +
           Join(conditions, " AND ") + " ORDER BY k.n, t.rowid";
  }

  duck::Warehouse* warehouse_;  // null: made only to check the query
  model::Schema schema_;
  LookupQuery query_;
  std::string target_;
};

}  // namespace

Result<std::unique_ptr<Lookup>> NewWarehouseLookup(const TableContext& table,
                                                   const LookupQuery& query) {
  return std::unique_ptr<Lookup>(new WarehouseLookup(table, query));
}

}  // namespace millrace::connectors::warehouse
