// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/io/file.h"
#include "common/io/scope.h"

static char folder[64];
static char path[128];

static void setup(void)
{
    (void)strcpy(folder, "/tmp/arbiter-file-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file", folder);
}

static void teardown(void)
{
    (void)unlink(path);
    cr_assert_eq(rmdir(folder), 0, "something was left in %s", folder);
}

TestSuite(file, .init = setup, .fini = teardown);

static void expect_content(const char *expected)
{
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    cr_assert_eq(file_read(path, 100, &text, &size, NULL), 0);
    cr_assert_eq(size, strlen(expected));
    cr_assert_str_eq(text, expected);
}

Test(file, replace_writes_and_replaces_with_the_mode)
{
    struct stat status;
    cr_assert_eq(file_replace(path, "one", 3, 0600, NULL), 0);
    expect_content("one");
    cr_assert_eq(file_replace(path, "two!", 4, 0644, NULL), 0);
    expect_content("two!");
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0644);
}

Test(file, a_file_that_does_not_tell_its_size_is_read_whole_or_refused)
{
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    cr_assert_eq(file_read("/proc/self/smaps", 1 << 22, &text, &size, NULL), 0);
    cr_assert_eq(strlen(text), size);
    cr_assert_gt(size, 10000u);
    cr_assert_eq(text[size - 1], '\n');
    char *none = NULL;
    cr_assert_eq(file_read("/proc/self/smaps", 10000, &none, &size, NULL), -EFBIG);
}

Test(file, as_many_bytes_as_allowed_are_read_and_one_more_is_refused)
{
    cr_assert_eq(file_replace(path, "12345", 5, 0600, NULL), 0);
    SCOPE_FREE char *text = NULL;
    size_t size = 0;
    cr_assert_eq(file_read(path, 5, &text, &size, NULL), 0);
    cr_assert_str_eq(text, "12345");
    char *none = NULL;
    struct err err = {0};
    cr_assert_eq(file_read(path, 4, &none, &size, &err), -EFBIG);
    cr_assert_null(none);
    cr_assert_not_null(strstr(err.text, "longer than 4 bytes"));
}

Test(file, create_never_overwrites)
{
    cr_assert_eq(file_create(path, "one", 3, 0600, NULL), 0);
    struct err err = {0};
    cr_assert_eq(file_create(path, "two", 3, 0600, &err), -EEXIST);
    cr_assert_not_null(strstr(err.text, path));
    expect_content("one");
}

Test(file, failed_replace_leaves_the_old_content)
{
    cr_assert_eq(file_replace(path, "old", 3, 0600, NULL), 0);
    char long_path[400];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    cr_assert_lt(file_replace(long_path, "new", 3, 0600, NULL), 0);
    struct err err = {0};
    cr_assert_eq(file_replace("/nonexistent-folder/file", "new", 3, 0600, &err), -ENOENT);
    expect_content("old");
}

Test(file, read_has_a_limit)
{
    cr_assert_eq(file_replace(path, "12345", 5, 0600, NULL), 0);
    char *text = NULL;
    size_t size = 0;
    struct err err = {0};
    cr_assert_eq(file_read(path, 4, &text, &size, &err), -EFBIG);
    cr_assert_null(text);
    cr_assert_not_null(strstr(err.text, "longer than 4 bytes"));
    cr_assert_eq(file_read(path, 5, &text, &size, &err), 0);
    free(text);
}

Test(file, read_tells_what_is_wrong)
{
    char *text = NULL;
    size_t size = 0;
    struct err err = {0};
    cr_assert_eq(file_read(path, 10, &text, &size, &err), -ENOENT);
    cr_assert_not_null(strstr(err.text, "No such file"));
    cr_assert_eq(file_read(folder, 10, &text, &size, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "not a regular file"));
}

Test(file, lock_keeps_others_out)
{
    int fd = file_lock_folder(path, NULL);
    cr_assert_geq(fd, 0);
    int other = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(flock(other, LOCK_EX | LOCK_NB), -1);
    cr_assert_eq(errno, EWOULDBLOCK);
    (void)close(fd);
    cr_assert_eq(flock(other, LOCK_EX | LOCK_NB), 0);
    (void)close(other);
}
