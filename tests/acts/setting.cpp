// SPDX-License-Identifier: Apache-2.0
#include "tests/acts/setting.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace mote::acts {
namespace {

constexpr unsigned kTimeoutSeconds = 60;
constexpr key_t kMemoryKey = 0x6D6F7465;

/// Eight bytes that are worth reading in the process that is to be reached.
u64 g_secret = 0x5345435245543031;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

bool is_root() {
  return ::geteuid() == 0;
}

void write_file(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream(path, std::ios::binary) << text;
  expect(::chmod(path.c_str(), mode) == 0, path.c_str());
}

/// Programs and guests are where the build has put them, or in a folder that has all of them.
void copy_program(const std::string& built, const std::string& folder) {
  const char* const moved = std::getenv("MOTE_ACTS_FOLDER");
  const std::string name = built.substr(built.rfind('/') + 1);
  std::ifstream from(moved != nullptr ? moved + ("/" + name) : built, std::ios::binary);
  expect(from.good(), name.c_str());
  std::ofstream(folder + "/" + name, std::ios::binary) << from.rdbuf();
  expect(::chmod((folder + "/" + name).c_str(), 0755) == 0, name.c_str());
}

void become_user() {
  expect(::setgroups(0, nullptr) == 0 &&
             ::setresgid(Setting::kUser, Setting::kUser, Setting::kUser) == 0 &&
             ::setresuid(Setting::kUser, Setting::kUser, Setting::kUser) == 0,
         "become a user");
}

int listening_socket(int family, int type, const sockaddr* address, std::size_t size) {
  const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
  expect(fd >= 0 && ::bind(fd, address, static_cast<socklen_t>(size)) == 0, "bind");
  expect(type != SOCK_STREAM || ::listen(fd, 1024) == 0, "listen");
  return fd;
}

void listen_unix(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  listening_socket(AF_UNIX, SOCK_STREAM, reinterpret_cast<const sockaddr*>(&address),
                   offsetof(sockaddr_un, sun_path) + name.size());
}

u16 listen_local() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* const plain = reinterpret_cast<const sockaddr*>(&address);
  const int tcp = listening_socket(AF_INET, SOCK_STREAM, plain, sizeof(address));
  socklen_t size = sizeof(address);
  expect(::getsockname(tcp, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  listening_socket(AF_INET, SOCK_DGRAM, plain, sizeof(address));
  return ntohs(address.sin_port);
}

void raise_loopback() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  expect(::ioctl(socket, SIOCSIFFLAGS, &request) == 0, "raise the loop-back interface");
  ::close(socket);
}

pid_t sleeping_process() {
  const pid_t process = ::fork();
  if (process != 0) return process;
  ::signal(kVcpuKickSignal, SIG_IGN);
  if (is_root()) become_user();
  ::prctl(PR_SET_DUMPABLE, 1);  // which a change of user takes
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) ::pause();
}

[[noreturn]] void execute(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::alarm(kTimeoutSeconds);  // exec keeps it
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Program::~Program() {
  ::close(output_);
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

bool Program::read_some() {
  char buffer[4096];
  const ssize_t got = ::read(output_, buffer, sizeof(buffer));
  if (got > 0) trial_.output.append(buffer, static_cast<std::size_t>(got));
  return got > 0;
}

bool Program::wait_for(const std::string& text) {
  while (trial_.output.find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

Trial Program::finish() {
  while (read_some()) {
  }
  int status = 0;
  expect(::waitpid(process_, &status, 0) == process_, "waitpid");
  process_ = -1;
  trial_.exit_code = exit_code(status);
  return trial_;
}

const Setting& Setting::get() {
  static const Setting setting;
  return setting;
}

std::string Setting::cannot_be(Caller caller) {
  if (caller == Caller::kRoot && !is_root()) return "needs root";
  return {};
}

Setting::Setting() {
  if (is_root()) {
    expect(::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) == 0, "unshare");
    expect(::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
    raise_loopback();
  }
  make_folder();
  make_target();
}

Setting::~Setting() {
  ::kill(target_.process, SIGKILL);
  ::shmctl(::shmget(target_.memory, 0, 0), IPC_RMID, nullptr);
  if (is_root()) {
    ::umount2(path("work").c_str(), MNT_DETACH);
    ::umount2("/dev/kvm", MNT_DETACH);
    ::umount2(target_.folder.c_str(), MNT_DETACH);
  }
  std::error_code ignored;
  std::filesystem::remove_all(target_.folder, ignored);
}

void Setting::make_folder() {
  char folder[] = "/tmp/mote-acts-XXXXXX";
  expect(::mkdtemp(folder) != nullptr, folder);
  target_.folder = folder;
  if (is_root()) expect(::mount("", folder, "tmpfs", 0, "mode=0755") == 0, folder);
  for (const char* built :
       {MOTE_ACTS_BINARY, OUTSIDE_BINARY, MOTE_BINARY, HELLO_GUEST, IDLE_GUEST}) {
    copy_program(built, folder);
  }
  write_file(path("disk"), "another's", 0666);
  write_file(path("own-disk"), std::string(1 << 20, '\0'), 0666);
  for (const char* open : {"work", "shown"}) {
    expect(::mkdir(path(open).c_str(), 0777) == 0 && ::chmod(path(open).c_str(), 0777) == 0, open);
  }
  write_file(path("vm.toml"),
             "kernel.path = \"hello.elf\"\nmachine = { vcpus = 2, io_threads = 2 }\n"
             "block = [{ path = \"own-disk\", queues = 2 }]\n",
             0644);
  if (is_root()) {
    const std::string kvm = path("kvm");
    expect(::mknod(kvm.c_str(), S_IFCHR | 0666, makedev(10, 232)) == 0 &&
               ::chmod(kvm.c_str(), 0666) == 0 &&
               ::mount(kvm.c_str(), "/dev/kvm", nullptr, MS_BIND, nullptr) == 0,
           "/dev/kvm for everybody");
  }
  reset();
}

void Setting::reset() const {
  const std::string work = path("work");
  if (is_root()) {
    while (::umount2(work.c_str(), MNT_DETACH) == 0) {
    }
    expect(::mount("", work.c_str(), "tmpfs", 0, "mode=0777") == 0, "work");
  }
  write_file(work + "/expendable", "text", 0666);
  ::mkdir((work + "/empty").c_str(), 0777);
  const std::string shown = path("shown");
  for (const auto& entry : std::filesystem::directory_iterator(shown)) {
    std::filesystem::remove_all(entry.path());
  }
  write_file(shown + "/expendable", "text", 0666);
  write_file(shown + "/image", std::string(1 << 16, '\0'), 0666);
  std::filesystem::create_symlink(path("disk"), shown + "/path");
  std::filesystem::create_symlink("../disk", shown + "/steps");
}

void Setting::make_target() {
  target_.process = sleeping_process();
  target_.address = reinterpret_cast<u64>(&g_secret);
  target_.socket = "mote-acts-" + std::to_string(::getpid());
  listen_unix(std::string(1, '\0') + target_.socket);
  listen_unix(path("socket"));
  expect(::chmod(path("socket").c_str(), 0777) == 0, "socket");
  target_.port = listen_local();
  target_.memory = kMemoryKey + static_cast<key_t>(is_root() ? 0 : ::getpid());
  expect(::shmget(target_.memory, 4096, IPC_CREAT | 0666) >= 0, "shmget");

  io_uring_params parameters{};
  int ends[2] = {-1, -1};
  expect(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  left_open_ = {::open("/", O_RDONLY | O_DIRECTORY), ::open("/dev/kvm", O_RDWR),
                ::open((path("own-disk") + ".left").c_str(), O_RDWR | O_CREAT, 0666),
                static_cast<int>(::syscall(SYS_io_uring_setup, 4, &parameters)), ends[0]};
  for (const int fd : left_open_) expect(fd >= 0, "what is left open");
}

Program Setting::start(const std::vector<std::string>& words, Caller caller,
                       const std::vector<std::string>& environment, const Target& target) const {
  int input[2];
  int output[2];
  expect(::pipe2(input, O_CLOEXEC) == 0 && ::pipe2(output, O_CLOEXEC) == 0, "pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(input[0], STDIN_FILENO);
    ::dup2(output[1], STDOUT_FILENO);
    ::dup2(output[1], STDERR_FILENO);
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    for (const int fd : left_open_) ::fcntl(fd, F_SETFD, 0);
    if (caller == Caller::kOrdinaryUser && is_root()) become_user();
    expect(::chdir(path("work").c_str()) == 0, "work");
    ::setenv(kTargetVariable, write_target(target).c_str(), 1);
    for (const std::string& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
    execute(words);
  }
  for (const int fd : {input[0], input[1], output[1]}) ::close(fd);
  return {child, output[0]};
}

}  // namespace mote::acts
