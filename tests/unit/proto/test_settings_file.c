// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/settings_file.h"

struct target {
    char name[16];
    uint32_t count;
};

static const struct setting table[] = {
    {"name", SETTING_TEXT, offsetof(struct target, name), sizeof((struct target *)0)->name, 0,
     0, NULL, "a name"},
    {"count", SETTING_COUNT, offsetof(struct target, count), 0, 1, 100, NULL, "how many"},
};

/* Files as "PATH=TEXT", ended by NULL. */
static const char *const *files;
static size_t asked_bytes_max;

static int read_given(const char *path, size_t bytes_max, char **text, size_t *size,
                      struct err *err)
{
    asked_bytes_max = bytes_max;
    for (size_t i = 0; files[i] != NULL; i++) {
        const size_t length = strlen(path);
        if (strncmp(files[i], path, length) == 0 && files[i][length] == '=') {
            *text = strdup(files[i] + length + 1);
            *size = strlen(*text);
            return 0;
        }
    }
    return err_set(err, -ENOENT, "%s: No such file", path);
}

static struct target target;
static const struct settings_file file = {.program = "tester",
                                          .table = table,
                                          .table_count = 2,
                                          .target = &target,
                                          .bytes_max = 4711,
                                          .read = read_given};

static void expect_told(const char *expected)
{
    char text[2048];
    (void)fflush(stderr);
    FILE *told = cr_get_redirected_stderr();
    text[fread(text, 1, sizeof text - 1, told)] = '\0';
    cr_expect_str_eq(text, expected);
}

Test(settings_file, fields_that_the_file_names_are_filled_and_the_others_stay)
{
    files = (const char *const[]){"a.yaml=count: 7\n", NULL};
    target = (struct target){"before", 1};
    cr_expect_eq(settings_file_read(&file, "a.yaml", true), 0);
    cr_expect_eq(target.count, 7);
    cr_expect_str_eq(target.name, "before");
    cr_expect_eq(asked_bytes_max, 4711);
}

Test(settings_file, every_mistake_is_told_with_its_place)
{
    cr_redirect_stderr();
    files = (const char *const[]){"a.yaml=name: x\ncuont: 7\ncount: 101\n", NULL};
    cr_expect_eq(settings_file_read(&file, "a.yaml", true), -EINVAL);
    expect_told("a.yaml:2:1: cuont: unknown setting; did you mean \"count\"?\n"
                "a.yaml:3:8: count: \"101\" is out of range (1 to 100)\n");
}

Test(settings_file, only_a_required_file_must_be_there)
{
    cr_redirect_stderr();
    files = (const char *const[]){NULL};
    cr_expect_eq(settings_file_read(&file, "a.yaml", false), 0);
    cr_expect_eq(settings_file_read(&file, "a.yaml", true), -EINVAL);
    expect_told("tester: error: a.yaml: No such file\n");
}

static void touch(const char *folder, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *made = fopen(path, "w");
    cr_assert_not_null(made);
    cr_assert_eq(fclose(made), 0);
}

Test(settings_file, drop_ins_are_read_by_name_and_all_of_them_also_behind_a_mistake)
{
    char folder[] = "/tmp/arbiter-drop-ins-XXXXXX";
    char lists[4][256];
    char path[256];
    char inner[256];
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a.yaml", folder);
    (void)snprintf(inner, sizeof inner, "%s.d", path);
    cr_expect_eq(settings_file_read_drop_ins(&file, path), 0, "no folder: no drop-ins");
    cr_assert_eq(mkdir(inner, 0700), 0);
    touch(inner, "20-second.yaml");
    touch(inner, "10-first.yaml");
    touch(inner, "30-ignored.txt");
    touch(inner, ".yaml");
    (void)snprintf(lists[0], sizeof lists[0], "%s/10-first.yaml=count: 1\nname: one\n", inner);
    (void)snprintf(lists[1], sizeof lists[1], "%s/20-second.yaml=count: 2\n", inner);
    (void)snprintf(lists[2], sizeof lists[2], "%s/10-first.yaml=count: none\n", inner);
    files = (const char *const[]){lists[0], lists[1], NULL};
    cr_expect_eq(settings_file_read_drop_ins(&file, path), 0);
    cr_expect_eq(target.count, 2);
    cr_expect_str_eq(target.name, "one");

    cr_redirect_stderr();
    target.count = 0;
    files = (const char *const[]){lists[2], lists[1], NULL};
    cr_expect_eq(settings_file_read_drop_ins(&file, path), -EINVAL);
    cr_expect_eq(target.count, 2, "the second was read");
    (void)snprintf(lists[3], sizeof lists[3],
                   "%s/10-first.yaml:1:8: count: expected a whole number, got \"none\"\n",
                   inner);
    expect_told(lists[3]);
    char command[512];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}
