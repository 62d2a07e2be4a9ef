// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/envelope.h"

#include <gmock/gmock.h>

#include <set>

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "server/export/semconv.h"
#include "server/export/tests/test_span.h"

namespace probed::exporter {
namespace {

using opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;

class BatchBuilderTest : public testing::Test {
 protected:
  ExportTraceServiceRequest SealAndParse() {
    const BatchPtr batch = builder_.Seal();
    ExportTraceServiceRequest request;
    EXPECT_TRUE(request.ParseFromString(std::string(batch->bytes)));
    return request;
  }
  void Append(const Resource& resource, const Scope& scope, std::string_view name) {
    TestSpan span;
    span.record().name = name;
    builder_.Append(resource, scope, span.record());
  }

  KeyTable keys_;
  BatchBuilder builder_{keys_};
  Resource shop_ = MakeResource(1, {{"service.name", std::string("shop")}, {"process.pid", std::int64_t{42}}});
  Resource cart_ = MakeResource(2, {{"service.name", std::string("cart")}});
  Scope http_ = MakeScope(1, "probed.http", "1.2");
  Scope dns_ = MakeScope(2, "probed.dns", "");
};

TEST_F(BatchBuilderTest, GroupsByResourceAndScope) {
  Append(shop_, http_, "a");
  Append(cart_, http_, "b");
  Append(shop_, http_, "c");
  Append(shop_, dns_, "d");
  Append(shop_, http_, "e");
  EXPECT_EQ(builder_.items(), 5U);
  const ExportTraceServiceRequest request = SealAndParse();
  ASSERT_EQ(request.resource_spans_size(), 3);
  const auto& first = request.resource_spans(0);
  EXPECT_EQ(first.schema_url(), kSchemaUrl);
  EXPECT_EQ(first.resource().attributes(0).value().string_value(), "shop");
  EXPECT_EQ(first.resource().attributes(1).value().int_value(), 42);
  ASSERT_EQ(first.scope_spans_size(), 1);
  EXPECT_EQ(first.scope_spans(0).scope().name(), "probed.http");
  EXPECT_EQ(first.scope_spans(0).scope().version(), "1.2");
  EXPECT_EQ(first.scope_spans(0).schema_url(), kSchemaUrl);
  ASSERT_EQ(first.scope_spans(0).spans_size(), 3);
  EXPECT_EQ(first.scope_spans(0).spans(2).name(), "e");
  EXPECT_EQ(request.resource_spans(1).resource().attributes(0).value().string_value(), "cart");
  EXPECT_EQ(request.resource_spans(2).scope_spans(0).scope().name(), "probed.dns");
}

TEST_F(BatchBuilderTest, EmptyBuilderSealsNothing) {
  EXPECT_EQ(builder_.Seal(), nullptr);
  Append(shop_, http_, "a");
  EXPECT_NE(builder_.Seal(), nullptr);
  EXPECT_EQ(builder_.items(), 0U);
  EXPECT_EQ(builder_.bytes(), 0U);
  EXPECT_EQ(builder_.Seal(), nullptr);
}

TEST_F(BatchBuilderTest, BytesBoundsTheSealedSize) {
  for (int i = 0; i < 300; ++i) {
    Append(i % 3 == 0 ? cart_ : shop_, i % 2 == 0 ? dns_ : http_, std::string(static_cast<std::size_t>(i), 'n'));
  }
  const std::size_t announced = builder_.bytes();
  const BatchPtr batch = builder_.Seal();
  EXPECT_GE(announced, batch->bytes.size());
  EXPECT_LE(announced, batch->bytes.size() + 4 * 128);
}

TEST_F(BatchBuilderTest, ReusesTheMemoryOfReleasedBatches) {
  // The builder and the batch exchange their buffers, so there are two of them.
  std::set<const char*> places;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 100; ++i) Append(shop_, http_, "GET /");
    const BatchPtr batch = builder_.Seal();
    places.insert(batch->bytes.data());
    EXPECT_EQ(batch->items, 100U);
  }
  EXPECT_LE(places.size(), 2U);
}

TEST_F(BatchBuilderTest, BatchesOutliveTheirBuilder) {
  BatchPtr batch;
  {
    BatchBuilder builder(keys_);
    builder.Append(shop_, http_, TestSpan().record());
    batch = builder.Seal();
  }
  ExportTraceServiceRequest request;
  EXPECT_TRUE(request.ParseFromString(std::string(batch->bytes)));
}

}  // namespace
}  // namespace probed::exporter
