// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/block_device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 16 /* others look for free loop devices, too */

/* True when /dev/NAME is a loop device on this very file. */
static bool is_loop_of(const char *name, const struct stat *file)
{
    char path[BLOCK_DEVICE_SIZE];
    (void)snprintf(path, sizeof path, "/sys/block/%.32s/loop", name);
    if (strncmp(name, "loop", 4) != 0 || access(path, F_OK) != 0) {
        return false; /* not one, or on no file */
    }
    (void)snprintf(path, sizeof path, "/dev/%.32s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct loop_info64 info = {0};
    bool same = fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0 &&
                info.lo_device == (uint64_t)file->st_dev &&
                info.lo_inode == (uint64_t)file->st_ino;
    if (fd >= 0) {
        (void)close(fd);
    }
    return same;
}

static bool find_loop(const struct stat *file, char out[BLOCK_DEVICE_SIZE])
{
    DIR *names = opendir("/sys/block");
    const struct dirent *entry = NULL;
    bool found = false;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe in glibc for streams of one thread
    while (names != NULL && !found && (entry = readdir(names)) != NULL) {
        found = is_loop_of(entry->d_name, file);
        if (found) {
            (void)snprintf(out, BLOCK_DEVICE_SIZE, "/dev/%.32s", entry->d_name);
        }
    }
    if (names != NULL) {
        (void)closedir(names);
    }
    return found;
}

/* One attempt: -EBUSY when another one took the same loop device first. */
static int configure(int control, int file, char out[BLOCK_DEVICE_SIZE])
{
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) {
        return -errno;
    }
    (void)snprintf(out, BLOCK_DEVICE_SIZE, "/dev/loop%d", number);
    int loop = open(out, O_RDWR | O_CLOEXEC);
    if (loop < 0) {
        return -errno;
    }
    /* Past the page cache where the file system can: a guest's write is then on the medium. */
    struct loop_config config = {.fd = (uint32_t)file,
                                 .info = {.lo_flags = LO_FLAGS_DIRECT_IO}};
    int rc = ioctl(loop, LOOP_CONFIGURE, &config) == 0 ? 0 : -errno;
    if (rc == -EINVAL) {
        config.info.lo_flags = 0;
        rc = ioctl(loop, LOOP_CONFIGURE, &config) == 0 ? 0 : -errno;
    }
    (void)close(loop);
    return rc;
}

static int make_loop(const char *disk, char out[BLOCK_DEVICE_SIZE], struct err *err)
{
    int file = open(disk, O_RDWR | O_CLOEXEC);
    int control = file < 0 ? -1 : open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int rc = control < 0 ? -errno : -EBUSY;
    for (int i = 0; i < ATTEMPTS && rc == -EBUSY; i++) {
        rc = configure(control, file, out);
    }
    if (control >= 0) {
        (void)close(control);
    }
    if (file >= 0) {
        (void)close(file);
    }
    return rc == 0 ? 0
                   : err_set(err, rc, "no loop device for %s: %s", disk, strerrordesc_np(-rc));
}

int block_device_attach(const char *disk, char out[BLOCK_DEVICE_SIZE], struct err *err)
{
    struct stat status;
    if (stat(disk, &status) != 0) {
        return err_set(err, -errno, "disk %s: %s", disk, strerrordesc_np(errno));
    }
    if (S_ISBLK(status.st_mode)) {
        (void)snprintf(out, BLOCK_DEVICE_SIZE, "%s", disk);
        return 0;
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, -EINVAL, "disk %s is neither a file nor a block device", disk);
    }
    return find_loop(&status, out) ? 0 : make_loop(disk, out, err);
}

void block_device_detach(const char *disk)
{
    struct stat status;
    char path[BLOCK_DEVICE_SIZE];
    if (stat(disk, &status) != 0 || !S_ISREG(status.st_mode) || !find_loop(&status, path)) {
        return;
    }
    int loop = open(path, O_RDWR | O_CLOEXEC);
    if (loop >= 0) {
        (void)ioctl(loop, LOOP_CLR_FD); /* in use: the kernel does it at the last close */
        (void)close(loop);
    }
}
