// SPDX-License-Identifier: Apache-2.0
// Gives NVMe virtual functions their queues and interrupts, and switches them on [NVMe
// base 2.0, 5.24 "Virtualization Management"]:
//
//   nvme_virtualization /dev/nvmeN CONTROLLER ACTION [queues|interrupts COUNT]
//
// ACTION: of the controller itself "keep" so many; of a secondary one "assign", "offline",
// "online".
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { kVirtualizationManagement = 0x1C };

static const struct {
  const char* name;
  unsigned code;
} kActions[] = {{"keep", 1}, {"offline", 7}, {"assign", 8}, {"online", 9}};

int main(int count, char** words) {
  unsigned action = 0;
  for (size_t i = 0; count > 3 && i < sizeof kActions / sizeof *kActions; ++i) {
    if (strcmp(words[3], kActions[i].name) == 0) action = kActions[i].code;
  }
  if (action == 0 || (count != 4 && count != 6)) {
    fprintf(stderr, "usage: %s /dev/nvmeN CONTROLLER ACTION [queues|interrupts COUNT]\n", words[0]);
    return 2;
  }
  unsigned interrupts = count == 6 && strcmp(words[4], "interrupts") == 0;
  struct nvme_admin_cmd command = {
      .opcode = kVirtualizationManagement,
      .cdw10 = (unsigned)atoi(words[2]) << 16 | interrupts << 8 | action,
      .cdw11 = count == 6 ? (unsigned)atoi(words[5]) : 0,
  };
  int controller = open(words[1], O_RDWR | O_CLOEXEC);
  int status = controller < 0 ? -1 : ioctl(controller, NVME_IOCTL_ADMIN_CMD, &command);
  if (status < 0) perror(words[1]);
  if (status > 0) fprintf(stderr, "%s: status %#x\n", words[1], (unsigned)status);
  return status != 0;
}
