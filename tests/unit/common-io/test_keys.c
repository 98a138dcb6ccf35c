// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/file.h"
#include "common/io/keys.h"

static char folder[64];
static char path[128];

static void setup(void)
{
    (void)strcpy(folder, "/tmp/arbiter-keys-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/key", folder);
}

static void teardown(void)
{
    (void)unlink(path);
    cr_assert_eq(rmdir(folder), 0);
}

TestSuite(keys, .init = setup, .fini = teardown);

static void write_text(const char *text, unsigned mode)
{
    cr_assert_eq(file_replace(path, text, strlen(text), mode, NULL), 0);
}

Test(keys, written_pair_is_read_back)
{
    struct key_pair pair;
    struct key_pair back;
    char public_text[KEY_TEXT_SIZE];
    struct stat status;
    cr_assert_eq(key_pair_generate(&pair, NULL), 0);
    cr_assert_eq(key_pair_write(path, &pair, NULL), 0);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(key_pair_read(path, &back, NULL), 0);
    cr_assert_eq(memcmp(&pair, &back, sizeof pair), 0);
    cr_assert_eq(key_public_read(path, public_text, NULL), 0);
    cr_assert_str_eq(public_text, pair.public_text);
}

Test(keys, two_pairs_differ)
{
    struct key_pair pairs[2];
    cr_assert_eq(key_pair_generate(&pairs[0], NULL), 0);
    cr_assert_eq(key_pair_generate(&pairs[1], NULL), 0);
    cr_assert_str_neq(pairs[0].public_text, pairs[1].public_text);
    cr_assert_str_neq(pairs[0].secret_text, pairs[1].secret_text);
}

Test(keys, key_file_is_never_overwritten)
{
    struct key_pair pair;
    struct key_pair back;
    cr_assert_eq(key_pair_generate(&pair, NULL), 0);
    cr_assert_eq(key_pair_write(path, &pair, NULL), 0);
    struct key_pair other;
    cr_assert_eq(key_pair_generate(&other, NULL), 0);
    cr_assert_eq(key_pair_write(path, &other, NULL), -EEXIST);
    cr_assert_eq(key_pair_read(path, &back, NULL), 0);
    cr_assert_str_eq(back.public_text, pair.public_text);
}

Test(keys, key_that_others_may_read_is_refused)
{
    struct key_pair pair;
    struct err err = {0};
    cr_assert_eq(key_pair_generate(&pair, NULL), 0);
    cr_assert_eq(key_pair_write(path, &pair, NULL), 0);
    cr_assert_eq(chmod(path, 0640), 0);
    cr_assert_eq(key_pair_read(path, &pair, &err), -EACCES);
    cr_assert_not_null(strstr(err.text, "chmod 600"));
}

Test(keys, halves_of_different_pairs_are_refused)
{
    struct key_pair a;
    struct key_pair b;
    char text[256];
    struct err err = {0};
    cr_assert_eq(key_pair_generate(&a, NULL), 0);
    cr_assert_eq(key_pair_generate(&b, NULL), 0);
    (void)snprintf(text, sizeof text, "public %s\nsecret %s\n", a.public_text, b.secret_text);
    write_text(text, 0600);
    cr_assert_eq(key_pair_read(path, &a, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "do not belong together"));
}

Test(keys, mistakes_name_the_line_and_never_show_it)
{
    struct key_pair pair;
    char text[256];
    struct err err = {0};
    cr_assert_eq(key_pair_generate(&pair, NULL), 0);
    (void)snprintf(text, sizeof text, "# comment\nsecret  %s\n", pair.secret_text);
    write_text(text, 0600);
    cr_assert_eq(key_pair_read(path, &pair, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "key:2:"));
    cr_assert_null(strstr(err.text, pair.secret_text));
    write_text("public tooshort\n", 0600);
    cr_assert_eq(key_pair_read(path, &pair, &err), -EINVAL);
    write_text("", 0600);
    cr_assert_eq(key_pair_read(path, &pair, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "no secret key"));
}

Test(keys, public_file_is_read_in_both_forms)
{
    struct key_pair pair;
    char text[256];
    char public_text[KEY_TEXT_SIZE];
    cr_assert_eq(key_pair_generate(&pair, NULL), 0);
    cr_assert_eq(key_public_write(path, pair.public_text, NULL), 0);
    cr_assert_eq(key_public_read(path, public_text, NULL), 0);
    cr_assert_str_eq(public_text, pair.public_text);
    (void)snprintf(text, sizeof text, "%s\r\n", pair.public_text);
    write_text(text, 0644);
    memset(public_text, 0, sizeof public_text);
    cr_assert_eq(key_public_read(path, public_text, NULL), 0);
    cr_assert_str_eq(public_text, pair.public_text);
}

Test(keys, every_role_has_a_word)
{
    for (int i = 1; i < ROLE_COUNT; i++) {
        cr_assert_eq(role_from_word(role_word((enum role)i)), (enum role)i);
    }
    cr_assert_eq(role_from_word("root"), ROLE_UNSPECIFIED);
    cr_assert_eq(role_from_word("unspecified"), ROLE_UNSPECIFIED);
    cr_assert_str_eq(role_word((enum role)99), "unspecified");
}
