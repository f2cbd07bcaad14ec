// SPDX-License-Identifier: Apache-2.0
#include "api/http/unix_listener.hpp"

#include <sys/stat.h>

#include "tests/unit/api/http/server_fixture.hpp"

namespace mote::http {
namespace {

using test::Client;
using test::SocketFolder;

bool exists(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string refusal(const std::string& path) {
  const auto listener = UnixListener::create(path);
  return listener ? "accepted" : listener.error().message();
}

TEST(UnixListener, MakesItsFileAndRemovesIt) {
  const SocketFolder folder;
  auto listener = UnixListener::create(folder.path());
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_TRUE(Client(folder.path()).connected());
  listener->remove();
  EXPECT_FALSE(exists(folder.path()));
  listener->remove();
}

TEST(UnixListener, ReplacesWhatADeadProcessLeft) {
  const SocketFolder folder;
  {
    ASSERT_TRUE(UnixListener::create(folder.path()));
  }
  EXPECT_TRUE(exists(folder.path()));
  EXPECT_FALSE(Client(folder.path()).connected());
  const auto listener = UnixListener::create(folder.path());
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_TRUE(Client(folder.path()).connected());
}

TEST(UnixListener, LeavesASocketInUseAlone) {
  const SocketFolder folder;
  auto first = UnixListener::create(folder.path());
  ASSERT_TRUE(first);
  EXPECT_EQ(refusal(folder.path()),
            "cannot listen at '" + folder.path() +
                "': a process serves this socket -- choose another path, or end that one");
  EXPECT_TRUE(Client(folder.path()).connected());
}

TEST(UnixListener, LeavesOtherFilesAlone) {
  const SocketFolder folder;
  ::close(::open(folder.path().c_str(), O_CREAT | O_WRONLY, 0600));
  EXPECT_EQ(refusal(folder.path()),
            "cannot listen at '" + folder.path() +
                "': there is something that is no socket -- choose another path");
  EXPECT_TRUE(exists(folder.path()));
}

TEST(UnixListener, RemovesOnlyItsOwnFile) {
  const SocketFolder folder;
  auto first = UnixListener::create(folder.path());
  ASSERT_TRUE(first);
  ::unlink(folder.path().c_str());
  const auto second = UnixListener::create(folder.path());
  ASSERT_TRUE(second);
  first->remove();
  EXPECT_TRUE(Client(folder.path()).connected());
}

TEST(UnixListener, FindsItsFileWhereverItIsRun) {
  const SocketFolder folder;
  const UniqueFd here(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::chdir(folder.path().substr(0, folder.path().rfind('/')).c_str()), 0);
  auto listener = UnixListener::create("api.sock");
  ASSERT_EQ(::fchdir(here.get()), 0);
  ASSERT_TRUE(listener);
  listener->remove();
  EXPECT_FALSE(exists(folder.path()));
}

TEST(UnixListener, LeavesAFileThatItHasGivenAway) {
  const SocketFolder folder;
  auto listener = UnixListener::create(folder.path());
  ASSERT_TRUE(listener);
  listener->disown();
  EXPECT_EQ(listener->folder_fd(), -1);
  listener->remove();
  EXPECT_TRUE(Client(folder.path()).connected());
}

TEST(UnixListener, WaitsForAProcessThatIsAboutToEnd) {
  const SocketFolder folder;
  auto first = UnixListener::create(folder.path());
  ASSERT_TRUE(first);
  std::thread end([&first] {
    ::usleep(15'000);
    first = UnixListener();
  });
  EXPECT_EQ(refusal(folder.path()), "accepted");
  end.join();
}

TEST(UnixListener, SaysWhatIsWrongWithAPath) {
  EXPECT_EQ(refusal("/nonexistent/api.sock"),
            "cannot listen at '/nonexistent/api.sock': No such file or directory (ENOENT) -- the "
            "directory has to exist and be writable");
  EXPECT_EQ(refusal(""), "cannot listen at '': the path of a socket has 1 to 107 bytes");
  const std::string path(108, 'x');
  EXPECT_EQ(refusal(path),
            "cannot listen at '" + path + "': the path of a socket has 1 to 107 bytes");
}

}  // namespace
}  // namespace mote::http
