// SPDX-License-Identifier: Apache-2.0
#include "common/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/io/scope.h"
#include "common/limits.h"

#define ROOM_LEAST 4096 /* files of the kernel have no size */

enum write_mode { WRITE_REPLACE, WRITE_NEW };

static int system_error(struct err *err, const char *path, const char *what)
{
    int code = -errno;
    return err_set(err, code, "%s: %s: %s", path, what, strerrordesc_np(-code));
}

/* NULL: no memory, and the old one is freed. */
static char *grown(char *buffer, size_t size)
{
    char *larger = realloc(buffer, size);
    if (larger == NULL) {
        free(buffer);
    }
    return larger;
}

int file_read(const char *path, size_t bytes_max, char **text, size_t *size, struct err *err)
{
    SCOPE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return system_error(err, path, "cannot open");
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return system_error(err, path, "cannot read");
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, -EINVAL, "%s: not a regular file", path);
    }
    /* One byte more than allowed or expected tells a file that is too long or grows. */
    size_t room = status.st_size > ROOM_LEAST ? (size_t)status.st_size : ROOM_LEAST;
    room = room < bytes_max ? room : bytes_max;
    SCOPE_FREE char *buffer = malloc(room + 2);
    size_t used = 0;
    while (buffer != NULL && used <= bytes_max) {
        if (used > room) {
            room = room < bytes_max / 2 ? 2 * room + 1 : bytes_max;
            buffer = grown(buffer, room + 2);
            continue;
        }
        ssize_t got = read(fd, buffer + used, room + 1 - used);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            used += (size_t)got;
        } else if (errno != EINTR) {
            return system_error(err, path, "cannot read");
        }
    }
    if (buffer == NULL) {
        return err_set(err, -ENOMEM, "%s: out of memory", path);
    }
    if (used > bytes_max) {
        return err_set(err, -EFBIG, "%s: longer than %zu bytes", path, bytes_max);
    }
    buffer[used] = '\0';
    *text = buffer;
    *size = used;
    buffer = NULL;
    return 0;
}

static int open_folder(const char *path, struct err *err)
{
    char folder[PATH_SIZE] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t size = slash == path ? 1 : (size_t)(slash - path);
        if (size >= sizeof folder) {
            return err_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
        }
        memcpy(folder, path, size);
        folder[size] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : system_error(err, folder, "cannot open the folder");
}

static int write_all(int fd, const char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = write(fd, data + done, size - done);
        if (wrote >= 0) {
            done += (size_t)wrote;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

/* Moves the finished file to its name; a link() refuses a name that is taken. */
static int put_in_place(const char *temporary, const char *path, enum write_mode how)
{
    if (how == WRITE_REPLACE) {
        return rename(temporary, path) == 0 ? 0 : -errno;
    }
    if (link(temporary, path) != 0) {
        return -errno;
    }
    (void)unlink(temporary); /* a second name of the same file is harmless */
    return 0;
}

static int write_file(const char *path, const void *data, size_t size, mode_t mode,
                      enum write_mode how, struct err *err)
{
    SCOPE_CLOSE int folder = open_folder(path, err);
    if (folder < 0) {
        return folder;
    }
    char temporary[PATH_SIZE + 16];
    int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        return err_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
    }
    SCOPE_CLOSE int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return system_error(err, path, "cannot write beside it");
    }
    int rc = fchmod(fd, mode) == 0 ? 0 : -errno;
    if (rc == 0) {
        rc = write_all(fd, data, size);
    }
    if (rc == 0) {
        rc = put_in_place(temporary, path, how);
    }
    if (rc != 0) {
        (void)unlink(temporary); /* the first error is the one to report */
        return err_set(err, rc, "%s: cannot write: %s", path, strerrordesc_np(-rc));
    }
    if (fsync(folder) != 0) {
        return system_error(err, path, "cannot sync its folder");
    }
    return 0;
}

int file_replace(const char *path, const void *data, size_t size, unsigned mode,
                 struct err *err)
{
    return write_file(path, data, size, (mode_t)mode, WRITE_REPLACE, err);
}

int file_create(const char *path, const void *data, size_t size, unsigned mode, struct err *err)
{
    return write_file(path, data, size, (mode_t)mode, WRITE_NEW, err);
}

int file_lock_folder(const char *path, struct err *err)
{
    int fd = open_folder(path, err);
    if (fd < 0) {
        return fd;
    }
    while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            int rc = system_error(err, path, "cannot lock its folder");
            (void)close(fd); /* opened for the lock only */
            return rc;
        }
    }
    return fd;
}
