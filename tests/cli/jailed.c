// SPDX-License-Identifier: Apache-2.0
// What is run in a jail in place of a monitor: says what it sees, one fact a line, on standard
// output and in /report. A word "wait" among its arguments keeps it there until it is killed.
#include <dirent.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void tell_limit(FILE* out, const char* name, int resource) {
  struct rlimit limit;
  getrlimit(resource, &limit);
  fprintf(out, "%s: %lld %lld\n", name, (long long)limit.rlim_cur, (long long)limit.rlim_max);
}

static void tell_folder(FILE* out, const char* path) {
  DIR* folder = opendir(path);
  for (struct dirent* entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char file[600];
    struct stat status;
    snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
    lstat(file, &status);
    fprintf(out, "file: %s/%s %o %d %d\n", strcmp(path, "/") == 0 ? "" : path, entry->d_name,
            status.st_mode, (int)status.st_uid, (int)status.st_gid);
  }
  if (folder != NULL) closedir(folder);
}

static void tell(FILE* out, int argc, char** argv, char** environment) {
  char cwd[512] = "";
  fprintf(out, "cwd: %s\n", getcwd(cwd, sizeof(cwd)) != NULL ? cwd : "?");
  fprintf(out, "ids: %d %d %d %d\n", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
  fprintf(out, "groups: %d\n", getgroups(0, NULL));
  fprintf(out, "pid: %d\n", (int)getpid());
  fprintf(out, "session: %d\n", (int)getsid(0));
  for (int i = 0; i < argc; ++i) fprintf(out, "argument: %s\n", argv[i]);
  for (char** word = environment; *word != NULL; ++word) fprintf(out, "environment: %s\n", *word);
  for (int fd = 0; fd < 256; ++fd) {
    struct stat status;
    if ((out == stdout || fd != fileno(out)) && fstat(fd, &status) == 0)
      fprintf(out, "descriptor: %d %o\n", fd, status.st_mode);
  }
  tell_limit(out, "no-file", RLIMIT_NOFILE);
  tell_limit(out, "fsize", RLIMIT_FSIZE);
  tell_folder(out, "/");
  tell_folder(out, "/dev");
  tell_folder(out, "/dev/net");
  fprintf(out, "end\n");
  fflush(out);
}

int main(int argc, char** argv, char** environment) {
  FILE* report = fopen("/report.part", "w");
  if (report != NULL) {
    tell(report, argc, argv, environment);
    fclose(report);
    rename("/report.part", "/report");
  }
  tell(stdout, argc, argv, environment);
  for (int i = 0; i < argc; ++i) {
    while (strcmp(argv[i], "wait") == 0) pause();
  }
  return 0;
}
