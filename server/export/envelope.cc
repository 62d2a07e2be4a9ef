// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/envelope.h"

#include <algorithm>
#include <mutex>
#include <span>

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

char* PutHead(char* out, std::uint32_t field, std::size_t length) {
  return wire::PutVarint(wire::PutVarint(out, wire::Tag(field, wire::kBytes)), length);
}

char* PutField(char* out, std::uint32_t field, std::string_view value) {
  out = PutHead(out, field, value.size());
  std::memcpy(out, value.data(), value.size());
  return out + value.size();
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
    if (idle_.size() >= kMaxIdleBatches || batch->storage.capacity() > kMaxRetainedBytes) return;
    batch->storage.Clear();
    batch->bytes = {};
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
    open_bytes_ = groups_[current_].item_bytes();
    sealed_bytes_ -= open_bytes_;
  }
  return groups_[current_].items;
}

void EnvelopeBuilder::ItemDone(std::uint32_t items) {
  items_ += items;
  open_bytes_ = groups_[current_].item_bytes();
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
  group.room = kEnvelopeBytes + resource.encoded.size() + scope.encoded.size();
  // Batches leave with their buffer: the next is made as large as the last, not grown to it again.
  if (used_ == 0) group.items.Ensure(expected_bytes_);
  group.items.Advance(group.items.Ensure(group.room) + group.room);
  sealed_bytes_ += kEnvelopeBytes + resource.encoded.size() + scope.encoded.size();
  return used_++;
}

/// Writes what stands before and behind the items, in the room left for it. The result lies in group.items.
std::string_view EnvelopeBuilder::Finish(GroupBuffer& group) {
  const std::size_t schema = FieldSize(kSchemaUrl.size());
  const std::size_t scope_x = FieldSize(group.scope.size()) + group.item_bytes() + schema;
  const std::size_t resource_x = FieldSize(group.resource.size()) + FieldSize(scope_x) + schema;
  const std::size_t head = FieldSize(resource_x) - resource_x + FieldSize(group.resource.size()) + FieldSize(scope_x) -
                           scope_x + FieldSize(group.scope.size());
  char* out = PutField(PutField(group.items.Ensure(2 * schema), kSchema, kSchemaUrl), kSchema, kSchemaUrl);
  group.items.Advance(out);
  const std::string_view whole = group.items.view().substr(group.room - head);
  char* at = group.items.data() + group.room - head;
  at = PutField(PutHead(at, kResourceX, resource_x), kInner, group.resource);
  PutField(PutHead(at, kScopeX, scope_x), kInner, group.scope);
  return whole;
}

/// Nearly always all items are of one resource: their buffer becomes the batch's, and nothing is copied.
void EnvelopeBuilder::FillBatch(Batch& batch) {
  const auto filled = [](const GroupBuffer& group) { return group.item_bytes() > 0; };
  const std::span<GroupBuffer> groups(groups_.data(), used_);
  if (std::count_if(groups.begin(), groups.end(), filled) == 1) {
    GroupBuffer& only = *std::find_if(groups.begin(), groups.end(), filled);
    batch.bytes = Finish(only);
    std::swap(batch.storage, only.items);
    return;
  }
  for (GroupBuffer& group : groups) {
    if (filled(group)) batch.storage.Append(Finish(group));
  }
  batch.bytes = batch.storage.view();
}

BatchPtr EnvelopeBuilder::Seal() {
  if (items_ == 0) return nullptr;
  const std::shared_ptr<Batch> batch = pool_->Take();
  batch->signal = signal_;
  batch->items = items_;
  FillBatch(*batch);
  expected_bytes_ = batch->bytes.size() + batch->bytes.size() / 8;
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
