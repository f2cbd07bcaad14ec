// SPDX-License-Identifier: Apache-2.0
// The small Linux guest's first process: marks the boot clock, says so on the console, then does
// what mote.test= on the kernel command line asks for and ends the machine. A test that is not
// known here is the program /test/NAME; it finds each other word mote.X=Y as X in its environment.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum {
  kBootClockPort = 0x0B00,
  kMarkInit = 2,
  kSleepPort = 0x0600,
  kPowerOff = 0x34,  // SLP_EN, SLP_TYP 5
};

// The first line of a file, without its newline; empty when it cannot be read.
static void first_line(const char* path, char* line, int size) {
  line[0] = 0;
  FILE* file = fopen(path, "re");
  if (!file) return;
  if (fgets(line, size, file)) line[strcspn(line, "\n")] = 0;
  fclose(file);
}

static void print_file_line(const char* label, const char* path) {
  char line[512];
  first_line(path, line, sizeof line);
  printf("%s: %s\n", label, line[0] ? line : "none");
}

// Prints the lines of a file that hold `word`, all of them for an empty word.
static void print_matching(const char* path, const char* word) {
  char line[1024];
  FILE* file = fopen(path, "re");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    if (strstr(line, word)) fputs(line, stdout);
  }
  fclose(file);
}

static void print_tables(void) {
  DIR* folder = opendir("/sys/firmware/acpi/tables");
  printf("acpi tables:");
  if (folder) {
    for (struct dirent* entry; (entry = readdir(folder));) {
      if (strlen(entry->d_name) == 4 && entry->d_name[0] >= 'A' && entry->d_name[0] <= 'Z') {
        printf(" %s", entry->d_name);
      }
    }
    closedir(folder);
  } else {
    printf(" none");
  }
  printf("\n");
}

static void report(void) {
  print_file_line("online cpus", "/sys/devices/system/cpu/online");
  print_file_line("clock source",
                  "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  print_file_line("clock event", "/sys/devices/system/clockevents/clockevent0/current_device");
  print_file_line("memory", "/proc/meminfo");
  print_tables();
  print_matching("/proc/cpuinfo", "initial apicid");
  print_matching("/proc/interrupts", "");
  print_matching("/proc/iomem", "System RAM");
}

static void echo_reversed(void) {
  char line[256];
  printf("waiting for a line\n");
  if (!fgets(line, sizeof line, stdin)) {
    printf("no line\n");
    return;
  }
  size_t length = strcspn(line, "\r\n");
  printf("reversed: ");
  while (length > 0) putchar(line[--length]);
  printf("\n");
}

static void write_text(const char* path, const char* text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  if (write(file, text, strlen(text)) < 0) perror(path);
  close(file);
}

static void power_off(void) {
  struct stat status;
  sync();
  tcdrain(STDOUT_FILENO);  // neither the port nor reboot() waits for the serial port
  // Without ACPI Linux halts instead of switching off; the port is Mote's, and harmless elsewhere.
  if (stat("/sys/firmware/acpi", &status) != 0 && ioperm(kSleepPort, 1, 1) == 0) {
    outb(kPowerOff, kSleepPort);
  }
  reboot(RB_POWER_OFF);
}

// Puts X=Y into the environment for each word mote.X=Y of the kernel's command line.
static void read_words(void) {
  static char cmdline[4096];
  first_line("/proc/cmdline", cmdline, sizeof cmdline);
  for (char* word = strtok(cmdline, " "); word; word = strtok(NULL, " ")) {
    if (strncmp(word, "mote.", 5) == 0) putenv(word + 5);
  }
}

// Runs the program /test/NAME, says how it ended.
static void run_program(const char* name) {
  char path[128];
  snprintf(path, sizeof path, "/test/%s", name);
  pid_t child = fork();
  if (child == 0) {
    execl(path, path, NULL);
    perror(path);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) {
    printf("test %s: exit code %d\n", name, WEXITSTATUS(status));
  } else {
    printf("test %s: signal %d\n", name, WTERMSIG(status));
  }
}

int main(void) {
  if (ioperm(kBootClockPort, 1, 1) == 0) outb(kMarkInit, kBootClockPort);
  setvbuf(stdout, NULL, _IOLBF, 0);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  mount("tmp", "/tmp", "tmpfs", 0, NULL);

  char uptime[64];
  first_line("/proc/uptime", uptime, sizeof uptime);
  printf("init reached, uptime %.*s s\n", (int)strcspn(uptime, " "), uptime);
  setenv("PATH", "/bin:/sbin:/usr/bin", 1);
  read_words();
  const char* test = getenv("test") ? getenv("test") : "poweroff";

  if (strcmp(test, "reboot") == 0) {
    tcdrain(STDOUT_FILENO);
    reboot(RB_AUTOBOOT);
  } else if (strcmp(test, "hang") == 0) {
    for (;;) pause();
  } else if (strcmp(test, "crash") == 0) {
    write_text("/proc/sysrq-trigger", "c");
  } else if (strcmp(test, "shell") == 0) {
    execl("/bin/busybox", "sh", NULL);
    printf("no shell in this archive\n");
  } else if (strcmp(test, "echo") == 0) {
    echo_reversed();
  } else if (strcmp(test, "cpus") == 0) {
    printf("cpus: %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
  } else if (strcmp(test, "report") == 0) {
    report();
  } else if (strcmp(test, "poweroff") != 0) {
    run_program(test);
  }
  power_off();
  for (;;) pause();
}
