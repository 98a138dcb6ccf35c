// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "common/io/file.h"
#include "common/io/keys.h"
#include "common/io/scope.h"

static char folder[64];
static char path[128];
static char keys[4][KEY_TEXT_SIZE];

static void setup(void)
{
    (void)strcpy(folder, "/tmp/arbiter-keyring-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/keyring", folder);
    for (int i = 0; i < 4; i++) {
        struct key_pair pair;
        cr_assert_eq(key_pair_generate(&pair, NULL), 0);
        memcpy(keys[i], pair.public_text, KEY_TEXT_SIZE);
    }
}

static void teardown(void)
{
    (void)unlink(path);
    cr_assert_eq(rmdir(folder), 0);
}

TestSuite(keyring, .init = setup, .fini = teardown);

static int load(struct keyring *keyring, const char *text, struct err *err)
{
    cr_assert_eq(file_replace(path, text, strlen(text), 0644, NULL), 0);
    return keyring_load(keyring, path, err);
}

static struct principal principal_of(const char *name, enum role role, const char *key)
{
    struct principal principal = {.role = role};
    (void)snprintf(principal.name, sizeof principal.name, "%s", name);
    memcpy(principal.public_text, key, KEY_TEXT_SIZE);
    return principal;
}

Test(keyring, loaded_keys_are_found)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "# people\n\nanna administrator %s\n  \tnode-1\tagent   %s  # rack 4\r\n"
                   "node-1 agent %s",
                   keys[0], keys[1], keys[2]);
    struct keyring *keyring = keyring_create();
    struct principal found;
    cr_assert_eq(load(keyring, text, NULL), 0);
    cr_assert_eq(keyring_find(keyring, keys[0], &found), 0);
    cr_assert_str_eq(found.name, "anna");
    cr_assert_eq(found.role, ROLE_ADMINISTRATOR);
    cr_assert_eq(keyring_find(keyring, keys[1], &found), 0);
    cr_assert_str_eq(found.name, "node-1");
    cr_assert_eq(keyring_find(keyring, keys[2], &found), 0); /* two keys, one principal */
    cr_assert_str_eq(found.name, "node-1");
    cr_assert_eq(keyring_find(keyring, keys[3], &found), -ENOENT);
    cr_assert_eq(keyring_find(keyring, "", &found), -ENOENT);
    keyring_destroy(keyring);
}

Test(keyring, duplicate_public_key_is_an_error_that_names_both_lines)
{
    char text[1024];
    struct err err = {0};
    (void)snprintf(text, sizeof text, "a agent %s\nb agent %s\nc agent %s\n", keys[0], keys[1],
                   keys[0]);
    struct keyring *keyring = keyring_create();
    cr_assert_eq(load(keyring, text, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "keyring:3: the same public key as in line 1"), "%s",
                       err.text);
    keyring_destroy(keyring);
}

Test(keyring, all_mistakes_are_told_at_once)
{
    char text[2048];
    struct err err = {0};
    (void)snprintf(text, sizeof text,
                   "Anna administrator %s\n"
                   "bob janitor %s\n"
                   "node-1 agent short\n"
                   "node-2 agent\n"
                   "node-3 agent %s extra\n",
                   keys[0], keys[1], keys[2]);
    struct keyring *keyring = keyring_create();
    cr_assert_eq(load(keyring, text, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "keyring:1: a name has"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "keyring:2: \"janitor\" is no role"), "%s", err.text);
    cr_assert_not_null(strstr(err.text, "keyring:3: expected a name"), "%s", err.text);
    bool is_whole = strstr(err.text, "keyring:5:") != NULL;
    cr_assert(is_whole || strstr(err.text, "more") != NULL, "%s", err.text);
    keyring_destroy(keyring);
}

Test(keyring, many_mistakes_are_counted_beyond_what_fits)
{
    char text[8192] = "";
    struct err err = {0};
    for (int i = 0; i < 100; i++) {
        (void)strcat(text, "wrong\n");
    }
    struct keyring *keyring = keyring_create();
    cr_assert_eq(load(keyring, text, &err), -EINVAL);
    int shown = 0;
    for (const char *p = strstr(err.text, "expected \"name"); p != NULL;
         p = strstr(p + 1, "expected \"name")) {
        shown++;
    }
    char rest[32];
    (void)snprintf(rest, sizeof rest, "and %d more", 100 - shown);
    cr_assert_not_null(strstr(err.text, rest), "%s", err.text);
    keyring_destroy(keyring);
}

Test(keyring, one_name_with_two_roles_is_refused)
{
    char text[1024];
    struct err err = {0};
    (void)snprintf(text, sizeof text, "anna administrator %s\nanna provider %s\n", keys[0],
                   keys[1]);
    struct keyring *keyring = keyring_create();
    cr_assert_eq(load(keyring, text, &err), -EINVAL);
    cr_assert_not_null(strstr(err.text, "keyring:2: anna is provider here"), "%s", err.text);
    keyring_destroy(keyring);
}

Test(keyring, failed_load_keeps_the_old_table)
{
    char text[256];
    struct principal found;
    (void)snprintf(text, sizeof text, "a agent %s\n", keys[0]);
    struct keyring *keyring = keyring_create();
    cr_assert_eq(load(keyring, text, NULL), 0);
    cr_assert_eq(load(keyring, "garbage\n", NULL), -EINVAL);
    cr_assert_eq(keyring_load(keyring, "/nonexistent", NULL), -ENOENT);
    cr_assert_eq(keyring_find(keyring, keys[0], &found), 0);
    keyring_destroy(keyring);
}

Test(keyring, load_replaces_the_whole_table)
{
    char text[256];
    struct principal found;
    struct keyring *keyring = keyring_create();
    (void)snprintf(text, sizeof text, "a agent %s\n", keys[0]);
    cr_assert_eq(load(keyring, text, NULL), 0);
    (void)snprintf(text, sizeof text, "b agent %s\n", keys[1]);
    cr_assert_eq(load(keyring, text, NULL), 0);
    cr_assert_eq(keyring_find(keyring, keys[0], &found), -ENOENT);
    cr_assert_eq(keyring_find(keyring, keys[1], &found), 0);
    keyring_destroy(keyring);
}

Test(keyring, add_refuses_bad_and_known_keys)
{
    struct keyring *keyring = keyring_create();
    struct principal principal = principal_of("a", ROLE_AGENT, keys[0]);
    cr_assert_eq(keyring_add(keyring, &principal, NULL), 0);
    cr_assert_eq(keyring_add(keyring, &principal, NULL), -EEXIST);
    principal = principal_of("-a", ROLE_AGENT, keys[1]);
    cr_assert_eq(keyring_add(keyring, &principal, NULL), -EINVAL);
    principal = principal_of("a", ROLE_UNSPECIFIED, keys[1]);
    cr_assert_eq(keyring_add(keyring, &principal, NULL), -EINVAL);
    principal = principal_of("a", ROLE_AGENT, keys[1]);
    principal.public_text[3] = '"'; /* not in Z85 */
    cr_assert_eq(keyring_add(keyring, &principal, NULL), -EINVAL);
    keyring_destroy(keyring);
}

Test(keyring, thousands_of_keys_are_found)
{
    enum { COUNT = 2000 };
    SCOPE_FREE char *text = calloc(COUNT, 80);
    static char made[COUNT][KEY_TEXT_SIZE];
    size_t used = 0;
    for (int i = 0; i < COUNT; i++) {
        struct key_pair pair;
        cr_assert_eq(key_pair_generate(&pair, NULL), 0);
        memcpy(made[i], pair.public_text, KEY_TEXT_SIZE);
        used += (size_t)sprintf(text + used, "node-%d agent %s\n", i, made[i]);
    }
    struct keyring *keyring = keyring_create();
    cr_assert_eq(load(keyring, text, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        char name[NAME_SIZE];
        struct principal found;
        (void)snprintf(name, sizeof name, "node-%d", i);
        cr_assert_eq(keyring_find(keyring, made[i], &found), 0);
        cr_assert_str_eq(found.name, name);
    }
    keyring_destroy(keyring);
}

Test(keyring, enrol_adds_a_line_and_keeps_the_rest)
{
    struct principal principal = principal_of("anna", ROLE_ADMINISTRATOR, keys[0]);
    cr_assert_eq(keyring_file_enrol(path, &principal, NULL), 0); /* makes the file */
    char text[512];
    (void)snprintf(text, sizeof text, "# mine\nanna administrator %s", keys[0]);
    cr_assert_eq(file_replace(path, text, strlen(text), 0644, NULL), 0); /* no newline */
    principal = principal_of("node-1", ROLE_AGENT, keys[1]);
    cr_assert_eq(keyring_file_enrol(path, &principal, NULL), 0);
    (void)snprintf(text, sizeof text, "# mine\nanna administrator %s\nnode-1 agent %s\n",
                   keys[0], keys[1]);
    SCOPE_FREE char *content = NULL;
    size_t size = 0;
    cr_assert_eq(file_read(path, 1000, &content, &size, NULL), 0);
    cr_assert_str_eq(content, text);
}

Test(keyring, enrol_refuses_a_known_key_and_another_role)
{
    struct err err = {0};
    struct principal principal = principal_of("anna", ROLE_ADMINISTRATOR, keys[0]);
    cr_assert_eq(keyring_file_enrol(path, &principal, NULL), 0);
    principal = principal_of("eve", ROLE_AGENT, keys[0]);
    cr_assert_eq(keyring_file_enrol(path, &principal, &err), -EEXIST);
    cr_assert_not_null(strstr(err.text, "administrator anna"));
    principal = principal_of("anna", ROLE_PROVIDER, keys[1]);
    cr_assert_eq(keyring_file_enrol(path, &principal, &err), -EINVAL);
    principal = principal_of("no good", ROLE_PROVIDER, keys[1]);
    cr_assert_eq(keyring_file_enrol(path, &principal, &err), -EINVAL);
}

Test(keyring, revoke_takes_all_keys_of_a_name)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "# anna administrator\nanna administrator %s\nanna-2 agent %s\n"
                   "anna administrator %s # new\n",
                   keys[0], keys[1], keys[2]);
    cr_assert_eq(file_replace(path, text, strlen(text), 0644, NULL), 0);
    cr_assert_eq(keyring_file_revoke(path, "anna", NULL), 0);
    (void)snprintf(text, sizeof text, "# anna administrator\nanna-2 agent %s\n", keys[1]);
    SCOPE_FREE char *content = NULL;
    size_t size = 0;
    cr_assert_eq(file_read(path, 1000, &content, &size, NULL), 0);
    cr_assert_str_eq(content, text);
    struct err err = {0};
    cr_assert_eq(keyring_file_revoke(path, "anna", &err), -ENOENT);
    cr_assert_eq(keyring_file_revoke("/tmp/nonexistent-keyring", "anna", &err), -ENOENT);
}

/* Two commands at once must not lose one of the keys. */
Test(keyring, concurrent_enrolments_are_all_kept)
{
    enum { PROCESSES = 4, EACH = 10 };
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        cr_assert_geq(children[i], 0);
        if (children[i] == 0) {
            int failed = 0;
            for (int j = 0; j < EACH; j++) {
                struct key_pair pair;
                char name[NAME_SIZE];
                failed |= key_pair_generate(&pair, NULL);
                (void)snprintf(name, sizeof name, "node-%d-%d", i, j);
                struct principal principal = principal_of(name, ROLE_AGENT, pair.public_text);
                failed |= keyring_file_enrol(path, &principal, NULL);
            }
            _exit(failed != 0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_assert_eq(status, 0);
    }
    SCOPE_FREE char *content = NULL;
    size_t size = 0;
    int lines = 0;
    cr_assert_eq(file_read(path, 100000, &content, &size, NULL), 0);
    for (const char *p = strchr(content, '\n'); p != NULL; p = strchr(p + 1, '\n')) {
        lines++;
    }
    cr_assert_eq(lines, PROCESSES * EACH);
}
