// SPDX-License-Identifier: Apache-2.0
#include "core/line_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace mote {
namespace {

TEST(LineFile, AppendsLines) {
  const std::string path = testing::TempDir() + "mote-lines";
  ::unlink(path.c_str());
  std::ofstream(path) << "before\n";
  auto file = LineFile::open(path);
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_TRUE(file->write("one"));
  EXPECT_TRUE(file->write(""));
  std::ifstream written(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}), "before\none\n\n");
  EXPECT_EQ(file->lost(), 0U);
  ::unlink(path.c_str());
}

TEST(LineFile, LosesWholeLinesWhenNobodyReads) {
  const std::string path = testing::TempDir() + "mote-fifo";
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  auto file = LineFile::open(path);
  ASSERT_TRUE(file) << file.error().message();
  const std::string line(10'000, 'x');  // longer than what goes into a pipe as a whole
  u64 taken = 0;
  for (int i = 0; i < 100; ++i) taken += file->write(line) ? 1 : 0;
  EXPECT_GT(taken, 2U);
  EXPECT_EQ(file->lost(), 100 - taken);
  const UniqueFd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  std::string text;
  char buffer[65536];
  const auto drain = [&] {
    ssize_t size = 0;
    while ((size = ::read(reader.get(), buffer, sizeof(buffer))) > 0) {
      text.append(buffer, static_cast<std::size_t>(size));
    }
  };
  drain();
  EXPECT_TRUE(file->write("last"));
  drain();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), static_cast<long>(taken) + 1);
  for (std::size_t at = 0; at < text.size() - 5; at += line.size() + 1) {
    ASSERT_EQ(text.compare(at, line.size() + 1, line + "\n"), 0) << "at " << at;
  }
  EXPECT_EQ(text.substr(text.size() - 5), "last\n");
  ::unlink(path.c_str());
}

TEST(LineFile, SaysWhyItCannotBeOpened) {
  const auto file = LineFile::open("/nonexistent/metrics");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message(),
            "cannot open '/nonexistent/metrics': No such file or directory (ENOENT)");
}

}  // namespace
}  // namespace mote
