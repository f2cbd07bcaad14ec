// SPDX-License-Identifier: Apache-2.0
#include "core/metrics.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/metrics_writer.hpp"

namespace mote {
namespace {

void collect(MetricsSink& sink, u64 reads) {
  sink.counter("block", "rootfs", "read_bytes", reads);
  sink.counter("block", "rootfs", "flushes", 1);
  sink.counter("block", "data", "read_bytes", 10);
  sink.gauge("vm", {}, "start_us", 500);
}

TEST(Metrics, CanBeScraped) {
  PrometheusText text;
  collect(text, 512);
  EXPECT_EQ(text.take(),
            "# TYPE mote_block_read_bytes_total counter\n"
            "mote_block_read_bytes_total{id=\"rootfs\"} 512\n"
            "mote_block_read_bytes_total{id=\"data\"} 10\n"
            "# TYPE mote_block_flushes_total counter\n"
            "mote_block_flushes_total{id=\"rootfs\"} 1\n"
            "# TYPE mote_vm_start_us gauge\n"
            "mote_vm_start_us 500\n");
}

TEST(Metrics, ShowWhatCameSinceTheLastLine) {
  MetricsLine::Shown shown;
  MetricsLine first(shown);
  collect(first, 512);
  EXPECT_EQ(first.take(7, {}),
            R"({"utc_timestamp_ms":7,"block_rootfs":{"read_bytes":512,"flushes":1},)"
            R"("block":{"read_bytes":522,"flushes":1},"block_data":{"read_bytes":10},)"
            R"("vm":{"start_us":500}})");
  MetricsLine second(shown);
  collect(second, 600);
  EXPECT_EQ(second.take(8, R"("id":"x")"),
            R"({"utc_timestamp_ms":8,"id":"x","block_rootfs":{"read_bytes":88,"flushes":0},)"
            R"("block":{"read_bytes":88,"flushes":0},"block_data":{"read_bytes":0},)"
            R"("vm":{"start_us":500}})");
}

TEST(MetricsWriter, LosesLinesButNoCounts) {
  const std::string path = testing::TempDir() + "mote-metrics";
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  auto writer = MetricsWriter::open(path, R"("id":"x")");
  ASSERT_TRUE(writer) << writer.error().message();
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  const auto lines = [&] {
    std::string text(1 << 20, '\0');
    const ssize_t size = ::read(reader.get(), text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  };
  ASSERT_TRUE(writer->write([](MetricsSink& sink) { sink.counter("a", {}, "n", 10); }));
  const std::string first = lines();
  EXPECT_EQ(first.substr(0, 20), R"({"utc_timestamp_ms":)");
  EXPECT_NE(first.find(R"(,"id":"x","a":{"n":10},"logger":{"missed_metrics_count":0}})"),
            std::string::npos)
      << first;
  u64 count = 10;
  while (writer->write([&](MetricsSink& sink) { sink.counter("a", {}, "n", ++count); })) {
  }
  lines();
  ASSERT_TRUE(writer->write([&](MetricsSink& sink) { sink.counter("a", {}, "n", ++count); }));
  EXPECT_NE(lines().find(R"("a":{"n":2},"logger":{"missed_metrics_count":1}})"), std::string::npos);
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace mote
