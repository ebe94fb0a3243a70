#include "stream/transform.h"

#include <duckdb/common/error_data.hpp>
#include <duckdb/execution/expression_executor.hpp>
#include <duckdb/planner/expression/bound_conjunction_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <numeric>
#include <set>

#include "base/strings.h"
#include "stream/equal_rows.h"
#include "stream/row_text.h"

namespace millrace::stream {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::SelectionVector;

struct Transform::Step {
  enum class Kind { kFilter, kProjection, kUnnest };
  Kind kind;
  Expressions expressions;
  duckdb::vector<duckdb::LogicalType> output_types;
  std::unique_ptr<duckdb::ExpressionExecutor> executor;
  DataChunk output;
  DataChunk lists;  // kUnnest: the evaluated list expressions
  SelectionVector selection{STANDARD_VECTOR_SIZE};
  std::unique_ptr<EqualRows> equal;  // kUnnest, when rows are merged
  int not_worth_it = 0;              // chunks to go before merging is tried again
};

// For each row of a step's chunk the row of the input batch it came from (identity when empty), and
// for how many rows it stands (1 when empty).
struct Transform::Rows {
  std::vector<uint32_t> from;
  std::vector<int32_t> counts;

  void Add(const Rows& source, uint32_t row) {
    from.push_back(source.from.empty() ? row : source.from[row]);
    if (!source.counts.empty()) counts.push_back(source.counts[row]);
  }
  // For how many rows the `size` rows of the chunk stand.
  int64_t Total(idx_t size) const {
    if (counts.empty()) return static_cast<int64_t>(size);
    return std::accumulate(counts.begin(), counts.end(), int64_t{0});
  }
};

namespace {

constexpr int kChunksWithoutMerging = 15;

void CollectReferences(const duckdb::Expression& e, std::set<idx_t>& columns) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    columns.insert(e.Cast<duckdb::BoundReferenceExpression>().index);
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](const duckdb::Expression& child) { CollectReferences(child, columns); });
}

bool IsLate(const Batch& batch, uint32_t row) {
  auto at = std::lower_bound(
      batch.late.begin(), batch.late.end(), row,
      [](const LateCandidate& candidate, uint32_t other) { return candidate.row < other; });
  return at != batch.late.end() && at->row == row;
}

}  // namespace

struct Transform::Output {
  DataChunk owned;  // used when the chain can make several chunks of one
  DataChunk* rows = nullptr;
  Rows origin;
};

Transform::Transform(uint32_t id, duckdb::vector<duckdb::LogicalType> input_types)
    : Operator(id), input_types_(std::move(input_types)) {}
Transform::~Transform() = default;

const duckdb::vector<duckdb::LogicalType>& Transform::output_types() const {
  return steps_.empty() ? input_types_ : steps_.back()->output_types;
}

void Transform::AddFilter(Expressions conditions) {
  auto step = std::make_unique<Step>();
  step->kind = Step::Kind::kFilter;
  step->output_types = output_types();
  // One expression: a condition is evaluated only where those before it hold.
  if (conditions.size() == 1) {
    step->expressions = std::move(conditions);
  } else {
    auto all = duckdb::make_uniq<duckdb::BoundConjunctionExpression>(
        duckdb::ExpressionType::CONJUNCTION_AND);
    for (auto& condition : conditions) all->children.push_back(std::move(condition));
    step->expressions.push_back(std::move(all));
  }
  steps_.push_back(std::move(step));
}

void Transform::AddProjection(Expressions expressions) {
  auto step = std::make_unique<Step>();
  step->kind = Step::Kind::kProjection;
  for (auto& e : expressions) step->output_types.push_back(e->return_type);
  step->expressions = std::move(expressions);
  steps_.push_back(std::move(step));
}

void Transform::AddUnnest(Expressions lists) {
  auto step = std::make_unique<Step>();
  step->kind = Step::Kind::kUnnest;
  step->output_types = output_types();
  for (auto& e : lists)
    step->output_types.push_back(duckdb::ListType::GetChildType(e->return_type));
  step->expressions = std::move(lists);
  steps_.push_back(std::move(step));
  has_unnest_ = true;
}

Status Transform::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  for (auto& step : steps_) {
    step->executor = std::make_unique<duckdb::ExpressionExecutor>(*context.client);
    for (auto& e : step->expressions) step->executor->AddExpression(*e);
    if (step->kind == Step::Kind::kFilter) {
      step->output.InitializeEmpty(step->output_types);
    } else {
      step->output.Initialize(duckdb::Allocator::DefaultAllocator(), step->output_types);
    }
    if (step->kind == Step::Kind::kUnnest) {
      duckdb::vector<duckdb::LogicalType> list_types;
      for (auto& e : step->expressions) list_types.push_back(e->return_type);
      step->lists.Initialize(duckdb::Allocator::DefaultAllocator(), list_types);
    }
  }
  for (size_t i = 0; merges_ && i < steps_.size(); i++) {
    if (steps_[i]->kind == Step::Kind::kUnnest) PrepareMerge(i);
  }
  return Status::Ok();
}

// Rows are equal when the columns that are read after the unnest are, and what is unnested.
void Transform::PrepareMerge(size_t unnest) {
  Step& step = *steps_[unnest];
  const idx_t columns = step.output_types.size() - step.expressions.size();
  for (size_t e = 0; e < step.expressions.size(); e++) {
    const auto& element = step.output_types[columns + e];
    if (!duckdb::TypeIsConstantSize(element.InternalType())) return;
  }
  std::set<idx_t> read;
  bool all = true;
  for (size_t i = unnest + 1; i < steps_.size() && all; i++) {
    for (const auto& e : steps_[i]->expressions) CollectReferences(*e, read);
    all = steps_[i]->kind != Step::Kind::kProjection;  // the others hand all columns on
  }
  std::vector<idx_t> compared;
  duckdb::vector<duckdb::LogicalType> types;
  for (idx_t c = 0; c < columns; c++) {
    if (!all && !read.count(c)) continue;
    compared.push_back(c);
    types.push_back(step.output_types[c]);
  }
  step.equal = std::make_unique<EqualRows>(std::move(compared), std::move(types));
}

void Transform::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  if (steps_.empty()) {
    emitter_.Emit(batch);
    return;
  }
  batch_ = &batch;
  map_rows_ = batch.weights != nullptr || !batch.late.empty();
  outputs_used_ = 0;
  const OperatorStats before = stats_;
  try {
    Run(0, *batch.rows, {});
  } catch (const std::bad_alloc&) {
    throw;  // not the row's fault
  } catch (const std::exception&) {
    stats_ = before;  // what the steps before the failing one counted, they count again
    RunRowByRow(batch);
    return;
  }
  EmitCollected(batch);
}

void Transform::Run(size_t index, DataChunk& in, const Rows& rows) {
  if (in.size() == 0) return;
  if (index == steps_.size()) {
    Collect(in, rows);
    return;
  }
  Step& step = *steps_[index];
  switch (step.kind) {
    case Step::Kind::kProjection:
      step.output.Reset();
      step.executor->Execute(in, step.output);
      Run(index + 1, step.output, rows);
      return;
    case Step::Kind::kFilter: {
      const idx_t kept = step.executor->SelectExpression(in, step.selection);
      if (kept == in.size()) {
        Run(index + 1, in, rows);
        return;
      }
      step.output.Slice(in, step.selection, kept);
      step.output.SetCardinality(kept);
      Rows next;
      if (map_rows_ || !rows.counts.empty()) {
        for (idx_t k = 0; k < kept; k++) {
          next.Add(rows, static_cast<uint32_t>(step.selection.get_index(k)));
        }
      }
      stats_.rows_filtered += rows.Total(in.size()) - next.Total(kept);
      Run(index + 1, step.output, next);
      return;
    }
    case Step::Kind::kUnnest:
      RunUnnest(index, in, rows);
      return;
  }
}

void Transform::RunUnnest(size_t index, DataChunk& in, const Rows& rows) {
  Step& step = *steps_[index];
  step.lists.Reset();
  step.executor->Execute(in, step.lists);
  const idx_t input_columns = step.output_types.size() - step.expressions.size();
  std::vector<duckdb::UnifiedVectorFormat> formats(step.expressions.size());
  for (size_t e = 0; e < formats.size(); e++) {
    step.lists.data[e].ToUnifiedFormat(in.size(), formats[e]);
  }
  auto entry_of = [&](size_t e, idx_t row) -> duckdb::list_entry_t {
    idx_t at = formats[e].sel->get_index(row);
    if (!formats[e].validity.RowIsValid(at)) return {0, 0};
    return reinterpret_cast<const duckdb::list_entry_t*>(formats[e].data)[at];
  };

  SelectionVector source(STANDARD_VECTOR_SIZE);
  std::vector<SelectionVector> elements;
  for (size_t e = 0; e < formats.size(); e++) elements.emplace_back(STANDARD_VECTOR_SIZE);
  std::vector<std::vector<idx_t>> padded(formats.size());  // rows whose list was too short
  idx_t filled = 0;
  // Which rows are multiplied, and for how many each stands.
  Rows merged;
  const bool counted = !rows.counts.empty();  // an unnest before this one has merged
  const bool merge = step.equal && !batch_->weights && !counted && step.not_worth_it-- <= 0;
  if (merge) {
    std::vector<uint32_t> alone;
    for (uint32_t row = 0; row < in.size() && !batch_->late.empty(); row++) {
      if (IsLate(*batch_, rows.from.empty() ? row : rows.from[row])) alone.push_back(row);
    }
    step.equal->Find(in, step.lists, alone);
    for (size_t i = 0; i < step.equal->first().size(); i++) {
      const uint32_t row = step.equal->first()[i];
      merged.from.push_back(rows.from.empty() ? row : rows.from[row]);
      merged.counts.push_back(step.equal->count()[i]);
    }
    step.not_worth_it = merged.counts.size() * 2 > in.size() ? kChunksWithoutMerging : 0;
  }
  Rows next;
  auto flush = [&]() {
    if (filled == 0) return;
    DataChunk chunk;
    chunk.InitializeEmpty(step.output_types);
    for (idx_t c = 0; c < input_columns; c++) chunk.data[c].Slice(in.data[c], source, filled);
    for (size_t e = 0; e < formats.size(); e++) {
      duckdb::Vector& child = duckdb::ListVector::GetEntry(step.lists.data[e]);
      chunk.data[input_columns + e].Slice(child, elements[e], filled);
      if (padded[e].empty()) continue;
      chunk.data[input_columns + e].Flatten(filled);
      for (idx_t row : padded[e]) {
        duckdb::FlatVector::SetNull(chunk.data[input_columns + e], row, true);
      }
      padded[e].clear();
    }
    chunk.SetCardinality(filled);
    Run(index + 1, chunk, next);
    next = {};
    filled = 0;
  };
  const idx_t sources = merge ? merged.from.size() : in.size();
  for (idx_t i = 0; i < sources; i++) {
    const idx_t row = merge ? step.equal->first()[i] : i;
    idx_t length = 0;
    for (size_t e = 0; e < formats.size(); e++) length = std::max(length, entry_of(e, row).length);
    const int64_t stands_for = merge ? merged.counts[i] : counted ? rows.counts[row] : 1;
    if (length == 0) {
      stats_.rows_filtered += stands_for;
    } else {
      stats_.rows_added += static_cast<int64_t>(length - 1) * stands_for;
    }
    for (idx_t k = 0; k < length; k++) {
      source.set_index(filled, row);
      for (size_t e = 0; e < formats.size(); e++) {
        duckdb::list_entry_t entry = entry_of(e, row);
        bool has = k < entry.length;
        elements[e].set_index(filled, has ? entry.offset + k : 0);
        if (!has) padded[e].push_back(filled);
      }
      if (merge) {
        next.Add(merged, static_cast<uint32_t>(i));
      } else if (map_rows_ || counted) {
        next.Add(rows, static_cast<uint32_t>(row));
      }
      if (++filled == STANDARD_VECTOR_SIZE) flush();
    }
  }
  flush();
}

void Transform::Collect(DataChunk& out, const Rows& rows) {
  if (outputs_used_ == outputs_.size()) outputs_.push_back(std::make_unique<Output>());
  Output& output = *outputs_[outputs_used_++];
  output.origin = rows;
  if (!has_unnest_) {
    output.rows = &out;  // the chain makes one chunk a batch: nothing overwrites it before Emit
    return;
  }
  output.owned.Destroy();
  output.owned.Initialize(duckdb::Allocator::DefaultAllocator(), output_types());
  out.Copy(output.owned);
  output.rows = &output.owned;
}

void Transform::EmitCollected(const Batch& batch) {
  std::vector<int32_t> weights;
  for (size_t i = 0; i < outputs_used_; i++) {
    Output& output = *outputs_[i];
    Batch out;
    out.rows = output.rows;
    out.origin = batch.origin;
    const std::vector<uint32_t>& from = output.origin.from;
    if (from.empty()) {
      out.weights = batch.weights;
      out.late = batch.late;
    } else {
      if (batch.weights) {
        weights.clear();
        for (uint32_t row : from) weights.push_back(batch.weights[row]);
        out.weights = weights.data();
      } else if (!output.origin.counts.empty()) {
        out.weights = output.origin.counts.data();
        stats_.rows_merged += output.origin.Total(0) - static_cast<int64_t>(from.size());
      }
      size_t candidate = 0;
      for (uint32_t row = 0; row < from.size() && !batch.late.empty(); row++) {
        while (candidate < batch.late.size() && batch.late[candidate].row < from[row]) {
          candidate++;
        }
        if (candidate == batch.late.size()) break;
        if (batch.late[candidate].row != from[row]) continue;
        LateCandidate late = batch.late[candidate];
        late.row = row;
        out.late.push_back(late);
      }
    }
    emitter_.Emit(out);
  }
}

void Transform::RunRowByRow(const Batch& batch) {
  SelectionVector one(1);
  for (idx_t row = 0; row < batch.size(); row++) {
    one.set_index(0, row);
    DataChunk single;
    single.InitializeEmpty(input_types_);
    single.Slice(*batch.rows, one, 1);
    single.SetCardinality(1);
    single.Flatten();
    outputs_used_ = 0;
    const OperatorStats before = stats_;
    try {
      Run(0, single, {});
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& e) {
      stats_ = before;
      BuryRow(batch, row, duckdb::ErrorData(e).RawMessage());
      continue;
    }
    Batch alone;
    alone.rows = &single;
    alone.weights = batch.weights ? batch.weights + row : nullptr;
    alone.origin = batch.origin;
    for (const LateCandidate& late : batch.late) {
      if (late.row == row) alone.late.push_back({0, late.origin_row, late.source, late.frontier});
    }
    EmitCollected(alone);
  }
}

void Transform::BuryRow(const Batch& batch, idx_t row, const std::string& why) {
  stats_.rows_failed++;
  model::DeadLetter letter;
  letter.stage = "transform";
  letter.job = context_.job;
  letter.kind = model::RowErrorKind::kType;
  letter.reason = why;
  letter.payload = RowText(*batch.rows, row);
  context_.dead_letters->Add(std::move(letter));
}

OperatorDescription Transform::Describe() const {
  OperatorDescription description;
  description.name = "Transform";
  for (const auto& step : steps_) {
    std::vector<std::string> texts;
    for (const auto& e : step->expressions) texts.push_back(e->ToString());
    const char* verb = step->kind == Step::Kind::kFilter       ? "filter "
                       : step->kind == Step::Kind::kProjection ? "select "
                                                               : "unnest ";
    if (!description.detail.empty()) description.detail += "; ";
    description.detail += verb + Join(texts, step->kind == Step::Kind::kFilter ? " AND " : ", ");
  }
  return description;
}

}  // namespace millrace::stream
