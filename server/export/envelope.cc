// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/envelope.h"

#include <mutex>

#include "server/export/semconv.h"

namespace probed::exporter {
namespace {

constexpr std::uint32_t kResourceX = 1;  // of the request
constexpr std::uint32_t kInner = 1;      // the resource of ResourceX, the scope of ScopeX
constexpr std::uint32_t kScopeX = 2;     // of ResourceX
constexpr std::uint32_t kSchema = 3;     // of both

constexpr std::size_t kEnvelopeBytes = 5 * 6 + 2 * (kSchemaUrl.size() + 2);  // an upper bound: tags, lengths, schema
constexpr std::size_t kMaxIdleBatches = 8;
constexpr std::size_t kMaxRetainedBytes = 2 * kMaxBatchBytes;

std::size_t FieldSize(std::size_t length) { return 1 + wire::VarintSize(length) + length; }

void AppendHead(std::string& out, std::uint32_t field, std::size_t length) {
  char head[16];
  char* end = wire::PutVarint(head, wire::Tag(field, wire::kBytes));
  end = wire::PutVarint(end, length);
  out.append(head, static_cast<std::size_t>(end - head));
}

void AppendField(std::string& out, std::uint32_t field, std::string_view value) {
  AppendHead(out, field, value.size());
  out.append(value);
}

}  // namespace

/// Idle batches with the memory they have grown to. Outlives its builder while batches are out; any thread gives back.
class BatchPool : public std::enable_shared_from_this<BatchPool> {
 public:
  std::shared_ptr<Batch> Take() {
    std::unique_ptr<Batch> batch = TakeIdle();
    if (!batch) batch = std::make_unique<Batch>();
    return {batch.release(),
            [pool = shared_from_this()](Batch* done) { pool->GiveBack(std::unique_ptr<Batch>(done)); }};
  }

 private:
  std::unique_ptr<Batch> TakeIdle() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return nullptr;
    std::unique_ptr<Batch> batch = std::move(idle_.back());
    idle_.pop_back();
    return batch;
  }

  void GiveBack(std::unique_ptr<Batch> batch) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() >= kMaxIdleBatches || batch->bytes.capacity() > kMaxRetainedBytes) return;
    batch->bytes.clear();
    batch->items = 0;
    idle_.push_back(std::move(batch));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Batch>> idle_;
};

EnvelopeBuilder::EnvelopeBuilder(config::Signal signal) : signal_(signal), pool_(std::make_shared<BatchPool>()) {}
EnvelopeBuilder::~EnvelopeBuilder() = default;

WireWriter& EnvelopeBuilder::Group(const Resource& resource, const Scope& scope) {
  if (used_ == 0 || groups_[current_].resource_id != resource.id || groups_[current_].scope_id != scope.id) {
    sealed_bytes_ += open_bytes_;
    current_ = FindOrAdd(resource, scope);
    open_bytes_ = groups_[current_].items.size();
    sealed_bytes_ -= open_bytes_;
  }
  return groups_[current_].items;
}

void EnvelopeBuilder::ItemDone(std::uint32_t items) {
  items_ += items;
  open_bytes_ = groups_[current_].items.size();
}

std::size_t EnvelopeBuilder::FindOrAdd(const Resource& resource, const Scope& scope) {
  const auto [place, added] = index_.try_emplace(std::pair(resource.id, scope.id), used_);
  return added ? Add(resource, scope) : place->second;
}

std::size_t EnvelopeBuilder::Add(const Resource& resource, const Scope& scope) {
  if (used_ == groups_.size()) groups_.emplace_back();
  GroupBuffer& group = groups_[used_];
  group.resource_id = resource.id;
  group.scope_id = scope.id;
  group.resource = resource.encoded;
  group.scope = scope.encoded;
  group.items.Clear();
  sealed_bytes_ += kEnvelopeBytes + resource.encoded.size() + scope.encoded.size();
  return used_++;
}

void EnvelopeBuilder::AppendGroup(std::string& out, const GroupBuffer& group) const {
  const std::size_t schema = FieldSize(kSchemaUrl.size());
  const std::size_t scope_x = FieldSize(group.scope.size()) + group.items.size() + schema;
  AppendHead(out, kResourceX, FieldSize(group.resource.size()) + FieldSize(scope_x) + schema);
  AppendField(out, kInner, group.resource);
  AppendHead(out, kScopeX, scope_x);
  AppendField(out, kInner, group.scope);
  out.append(group.items.view());
  AppendField(out, kSchema, kSchemaUrl);
  AppendField(out, kSchema, kSchemaUrl);
}

BatchPtr EnvelopeBuilder::Seal() {
  if (items_ == 0) return nullptr;
  const std::shared_ptr<Batch> batch = pool_->Take();
  batch->signal = signal_;
  batch->items = items_;
  batch->bytes.reserve(bytes());
  for (std::size_t i = 0; i < used_; ++i) {
    if (groups_[i].items.size() > 0) AppendGroup(batch->bytes, groups_[i]);
  }
  Reset();
  return batch;
}

void EnvelopeBuilder::Reset() {
  std::size_t retained = 0;
  for (GroupBuffer& group : groups_) retained += group.items.capacity();
  if (retained > kMaxRetainedBytes) groups_.clear();
  index_.clear();
  used_ = current_ = 0;
  items_ = 0;
  sealed_bytes_ = open_bytes_ = 0;
}

}  // namespace probed::exporter
