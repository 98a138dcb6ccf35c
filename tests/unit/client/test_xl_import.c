// SPDX-License-Identifier: Apache-2.0
/* Files as they stand on real hosts: what becomes of them, and that what comes out passes the
 * checks of apply. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/xl_objects.h"
#include "proto/text.h"

#define FILES 6
#define SUM   "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8"

static struct xl_config *config;
static struct xl_messages *messages; /* of each file */
static struct xl_source *sources;
static struct xl_objects *objects;

static void begin(void)
{
    config = calloc(1, sizeof *config);
    messages = calloc(FILES, sizeof *messages);
    sources = calloc(FILES, sizeof *sources);
    objects = calloc(1, sizeof *objects);
}
static void end(void)
{
    free(config);
    free(messages);
    free(sources);
    free(objects);
}
TestSuite(xl_import, .init = begin, .fini = end, .timeout = 20);

/* Reads one file as number index. */
static int read_file(uint32_t index, const char *text)
{
    struct xl_source *source = &sources[index];
    source->file = "guest.cfg";
    source->messages = &messages[index];
    int rc = xl_config_parse(text, strlen(text), config, source->messages);
    int guest_rc = xl_guest_read(config, &source->guest, source->messages);
    if (source->guest.has_disk) {
        (void)snprintf(source->sha256, sizeof source->sha256, "%s", SUM);
    }
    return rc != 0 ? rc : guest_rc;
}

static void show(uint32_t index)
{
    for (uint32_t i = 0; i < messages[index].count; i++) {
        const struct xl_message *message = &messages[index].items[i];
        (void)fprintf(stderr, "%d %d %s\n", message->severity, message->line, message->text);
    }
}

static bool told(uint32_t index, enum xl_severity severity, int line, const char *part)
{
    for (uint32_t i = 0; i < messages[index].count; i++) {
        const struct xl_message *message = &messages[index].items[i];
        if (message->severity == severity && message->line == line &&
            strstr(message->text, part) != NULL) {
            return true;
        }
    }
    show(index);
    return false;
}

static const struct object *find(enum object_kind kind, const char *name)
{
    for (uint32_t i = 0; i < objects->count; i++) {
        if (objects->objects[i].kind == kind &&
            strcmp(object_name(&objects->objects[i]), name) == 0) {
            return &objects->objects[i];
        }
    }
    cr_assert_fail("no %s %s", object_kind_word(kind), name);
    return NULL;
}

static void count_object(void *context, const struct object *object)
{
    uint32_t *count = context;
    (void)object;
    ++*count;
}

/* Written as YAML and read back, as apply does. */
static void check_round_trip(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t i = 0; i < objects->count; i++) {
        (void)fputs(i > 0 ? "---\n" : "", out);
        cr_assert_eq(text_write_object(out, TEXT_YAML, &objects->objects[i]), 0);
    }
    (void)fclose(out);
    struct text_mistakes *mistakes = calloc(1, sizeof *mistakes);
    uint32_t count = 0;
    int rc = text_read_objects(text, size, count_object, &count, mistakes);
    cr_assert_eq(rc, 0, "%s: %s\n%s", mistakes->items[0].path, mistakes->items[0].text, text);
    cr_assert_eq(count, objects->count);
    free(mistakes);
    free(text);
}

static void make(uint32_t count, struct xl_wishes wishes)
{
    if (wishes.kind == SERVICE_KIND_UNSPECIFIED) {
        wishes.kind = SERVICE_KIND_WEB;
    }
    int rc = xl_objects_make(sources, count, &wishes, objects);
    if (rc != 0) {
        show(0);
    }
    cr_assert_eq(rc, 0);
    check_round_trip();
}

/* ---- samples ---- */

/* As xen-tools writes them. */
static const char xen_tools[] =
    "#\n# Configuration file for the Xen instance mail, created\n# by xen-tools.\n#\n\n"
    "#\n#  Kernel + memory size\n#\n"
    "kernel      = '/boot/vmlinuz-6.1.0-25-amd64'\n"                     /* 9 */
    "extra       = 'elevator=noop net.ifnames=0'\n"                      /* 10 */
    "ramdisk     = '/boot/initrd.img-6.1.0-25-amd64'\n"                  /* 11 */
    "vcpus       = '2'\n"                                                /* 12 */
    "memory      = '2048'\n\n\n"                                         /* 13 */
    "root        = '/dev/xvda2 ro'\n"                                    /* 16 */
    "disk        = [\n"                                                  /* 17 */
    "                  'file:/srv/xen/domains/mail/disk.img,xvda2,w',\n" /* 18 */
    "                  'file:/srv/xen/domains/mail/swap.img,xvda1,w',\n" /* 19 */
    "              ]\n\n\n"
    "name        = 'mail'\n"                                                       /* 23 */
    "dhcp        = 'dhcp'\n"                                                       /* 24 */
    "vif         = [ 'mac=00:16:3E:6B:1E:11,ip=192.168.1.20,bridge=xenbr0' ]\n\n"  /* 25 */
    "on_poweroff = 'destroy'\non_reboot   = 'restart'\non_crash    = 'restart'\n"; /* 27.. */

static const char pygrub[] = "name = \"db\"\nbootloader = \"/usr/lib/xen-4.17/bin/pygrub\"\n"
                             "memory = 1024\nvcpus = 4\ncap = 150\nmaxmem = 2048\n"
                             "disk = [ 'phy:/dev/vg0/db-disk,xvda,w' ]\n"
                             "vif = [ 'bridge=xenbr0,rate=100Mb/s' ]\ncpus = \"0-1\"\n";

static const char pvh[] = "type = \"pvh\"\nname = \"App_Server.1\"\n"
                          "kernel = \"/boot/vmlinuz\"\nramdisk = \"/boot/initrd.img\"\n"
                          "cmdline = \"root=/dev/xvda1 ro console=hvc0\"\nmemory = 512\n"
                          "disk = [ '/srv/app.img,raw,xvda,rw' ]\n"
                          "vif = [ '' ]\ntsc_mode = \"native\"\n";

static const char diskless[] = "name = 'probe'\nkernel = '/srv/vmlinuz'\n"
                               "ramdisk = '/srv/probe.cpio.gz'\nextra = 'console=hvc0'\n"
                               "memory = 128\n";

static const char hvm[] =
    "builder = 'hvm'\nname = 'win'\nmemory = 4096\nvcpus = 2\n"
    "vif = [ 'type=ioemu, bridge=xenbr0, model=e1000' ]\n"
    "disk = [ 'phy:/dev/vg0/win,hda,w', 'file:/iso/win.iso,hdc:cdrom,r' ]\n"
    "boot = 'cd'\nvnc = 1\nvncpasswd=''\nusb=1\nusbdevice='tablet'\n"
    "device_model_version = 'qemu-xen'\n";

/* ---- tests ---- */

Test(xl_import, a_guest_of_xen_tools_becomes_image_network_and_service)
{
    cr_assert_eq(read_file(0, xen_tools), 0);
    make(1, (struct xl_wishes){0});
    cr_assert_eq(objects->count, 3);
    const struct image *image = &find(OBJECT_KIND_IMAGE, "mail")->image;
    cr_assert_eq(image->format, IMAGE_FORMAT_RAW);
    cr_assert_eq(image->guest_type, GUEST_TYPE_PV);
    cr_assert_str_eq(image->source, "file:///srv/xen/domains/mail/disk.img");
    cr_assert_str_eq(image->sha256, SUM);
    cr_assert_str_eq(image->kernel, "/boot/vmlinuz-6.1.0-25-amd64");
    cr_assert_str_eq(image->ramdisk, "/boot/initrd.img-6.1.0-25-amd64");
    cr_assert_str_eq(image->command_line, "root=/dev/xvda ro elevator=noop net.ifnames=0");
    cr_assert_str_eq(find(OBJECT_KIND_NETWORK, "xenbr0")->network.bridge, "xenbr0");
    const struct service *service = &find(OBJECT_KIND_SERVICE, "mail")->service;
    cr_assert_eq(service->vms_count, 1);
    const struct vm_group *group = &service->vms[0];
    cr_assert_str_eq(group->image, "mail");
    cr_assert_str_eq(group->network, "xenbr0");
    cr_assert_eq(group->vcpus, 2);
    cr_assert_eq(group->cpu.min_pct, 10);
    cr_assert_eq(group->cpu.max_pct, 200);
    cr_assert_eq(group->memory_kib, 2048 * 1024);
    cr_assert_not(group->has_disk);
    cr_assert(told(0, XL_WARNING, 18, "root= is changed"));
    cr_assert(told(0, XL_WARNING, 19, "xvda1"));
    cr_assert(told(0, XL_WARNING, 24, "xm"));
    cr_assert(told(0, XL_WARNING, 25, "00:16:3E:6B:1E:11"));
    cr_assert(told(0, XL_WARNING, 25, "192.168.1.20"));
    cr_assert(told(0, XL_WARNING, 27, "on_poweroff"));
    cr_assert_eq(messages[0].mistakes, 0);
}

Test(xl_import, pygrub_becomes_grub_inside_the_guest)
{
    cr_assert_eq(read_file(0, pygrub), 0);
    make(1, (struct xl_wishes){0});
    const struct image *image = &find(OBJECT_KIND_IMAGE, "db")->image;
    cr_assert_str_eq(image->kernel, "/usr/lib/grub-xen/grub-x86_64-xen.bin");
    cr_assert_str_eq(image->source, "file:///dev/vg0/db-disk");
    const struct vm_group *group = &find(OBJECT_KIND_SERVICE, "db")->service.vms[0];
    cr_assert_eq(group->cpu.max_pct, 150);
    cr_assert_eq(group->net_rate_kib_s, 12207);
    cr_assert(told(0, XL_WARNING, 2, "grub-xen-host"));
    cr_assert(told(0, XL_WARNING, 6, "maxmem"));
    cr_assert(told(0, XL_WARNING, 9, "pinned"));
}

Test(xl_import, a_pvh_guest_keeps_its_type_and_gets_a_name_that_fits)
{
    cr_assert_eq(read_file(0, pvh), 0);
    make(1, (struct xl_wishes){.node = "dom0-1"});
    const struct image *image = &find(OBJECT_KIND_IMAGE, "app-server.1")->image;
    cr_assert_eq(image->guest_type, GUEST_TYPE_PVH);
    cr_assert_str_eq(image->command_line, "root=/dev/xvda1 ro console=hvc0");
    const struct storage *storage = &find(OBJECT_KIND_STORAGE, "dom0-1-disks")->storage;
    cr_assert_str_eq(storage->path, "/srv");
    cr_assert_str_eq(storage->nodes[0], "dom0-1");
    const struct vm_group *group = &find(OBJECT_KIND_SERVICE, "app-server.1")->service.vms[0];
    cr_assert_eq(group->disk.kind, DISK_KIND_LOCAL);
    cr_assert_str_eq(group->disk.storage, "dom0-1-disks");
    cr_assert_str_eq(group->network, "", "the node's own bridge");
    cr_assert(told(0, XL_WARNING, 2, "app-server.1"));
    cr_assert(told(0, XL_WARNING, 9, "tsc_mode"));
}

Test(xl_import, a_guest_without_disk_is_all_kernel)
{
    cr_assert_eq(read_file(0, diskless), 0);
    make(1, (struct xl_wishes){.node = "dom0-1", .kind = SERVICE_KIND_CLUSTER});
    cr_assert_eq(objects->count, 2);
    const struct image *image = &find(OBJECT_KIND_IMAGE, "probe")->image;
    cr_assert_eq(image->format, IMAGE_FORMAT_KERNEL);
    cr_assert_str_eq(image->source, "");
    cr_assert_eq(find(OBJECT_KIND_SERVICE, "probe")->service.kind, SERVICE_KIND_CLUSTER);
    cr_assert_eq(messages[0].count, 0);
}

Test(xl_import, hvm_is_refused_once_with_a_way_out)
{
    cr_assert_lt(read_file(0, hvm), 0);
    cr_assert(told(0, XL_MISTAKE, 1, "pvh"));
    cr_assert(told(0, XL_MISTAKE, 1, "grub-xen-host"));
    cr_assert_eq(messages[0].mistakes, 1);
    cr_assert(told(0, XL_WARNING, 8, "vnc"));
}

Test(xl_import, several_files_share_networks_and_may_share_a_service)
{
    cr_assert_eq(read_file(0, xen_tools), 0);
    cr_assert_eq(read_file(1, pygrub), 0);
    make(2, (struct xl_wishes){.service = "shop"});
    cr_assert_eq(objects->count, 4, "2 images, 1 network, 1 service");
    const struct service *service = &find(OBJECT_KIND_SERVICE, "shop")->service;
    cr_assert_eq(service->vms_count, 2);
    cr_assert_str_eq(service->vms[0].name, "mail");
    cr_assert_str_eq(service->vms[1].name, "db");
}

Test(xl_import, equal_images_are_one)
{
    cr_assert_eq(read_file(0, diskless), 0);
    cr_assert_eq(read_file(1, "name = 'probe2'\nkernel = '/srv/vmlinuz'\n"
                              "ramdisk = '/srv/probe.cpio.gz'\nextra = 'console=hvc0'\n"
                              "memory = 256\n"),
                 0);
    make(2, (struct xl_wishes){0});
    cr_assert_eq(objects->count, 3);
    cr_assert_str_eq(find(OBJECT_KIND_SERVICE, "probe2")->service.vms[0].image, "probe");
}

Test(xl_import, one_name_twice_is_a_mistake)
{
    struct xl_wishes wishes = {.kind = SERVICE_KIND_WEB};
    cr_assert_eq(read_file(0, diskless), 0);
    cr_assert_eq(read_file(1, diskless), 0);
    cr_assert_lt(xl_objects_make(sources, 2, &wishes, objects), 0);
    cr_assert(told(1, XL_MISTAKE, 0, "also in"));
}

Test(xl_import, more_groups_than_a_service_has_are_a_mistake)
{
    struct xl_wishes wishes = {.kind = SERVICE_KIND_WEB, .service = "all"};
    for (uint32_t i = 0; i < 5; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "name='g%u'\nkernel='/k'\nmemory=64\n", i);
        cr_assert_eq(read_file(i, text), 0);
    }
    cr_assert_lt(xl_objects_make(sources, 5, &wishes, objects), 0);
    cr_assert(told(4, XL_MISTAKE, 0, "at most 4 groups"));
}

Test(xl_import, everything_wrong_is_told_at_once)
{
    cr_assert_lt(read_file(0, "type = 'pvm'\nkernel = 'vmlinuz'\nmemory = 0\nvcpus = 'many'\n"
                              "disk = 'x'\nvif = [ ['a'], 'rate=1' ]\ncap = [1]\n"),
                 0);
    cr_assert(told(0, XL_MISTAKE, 0, "name: is missing"));
    cr_assert(told(0, XL_MISTAKE, 1, "pvm"));
    cr_assert(told(0, XL_MISTAKE, 2, "path from /"));
    cr_assert(told(0, XL_MISTAKE, 3, "from 1 to"));
    cr_assert(told(0, XL_MISTAKE, 4, "many"));
    cr_assert(told(0, XL_MISTAKE, 5, "list of strings"));
    cr_assert(told(0, XL_MISTAKE, 6, "list of strings"));
    cr_assert(told(0, XL_MISTAKE, 6, "rate=1"));
    cr_assert(told(0, XL_MISTAKE, 7, "got a list"));
    cr_assert_eq(messages[0].mistakes, 9, "%u", messages[0].mistakes);
}

Test(xl_import, disks_that_cannot_be_an_image_say_why)
{
    cr_assert_lt(read_file(0, "name='a'\nkernel='/k'\nmemory=1\n"
                              "disk=['/srv/a.qcow2,qcow2,xvda']"),
                 0);
    cr_assert(told(0, XL_MISTAKE, 4, "qemu-img convert"));
    memset(&messages[0], 0, sizeof messages[0]);
    cr_assert_lt(read_file(0, "name='a'\nkernel='/k'\nmemory=1\n"
                              "disk=['script=block-nbd,vdev=xvda,target=h:1']"),
                 0);
    cr_assert(told(0, XL_MISTAKE, 4, "script"));
    memset(&messages[0], 0, sizeof messages[0]);
    cr_assert_lt(read_file(0, "name='a'\nbootloader='/usr/bin/mine'\nmemory=1\n"), 0);
    cr_assert(told(0, XL_MISTAKE, 2, "no program runs in dom0"));
}

Test(xl_import, the_disk_with_the_root_is_the_one)
{
    cr_assert_eq(read_file(0, "name='a'\nkernel='/k'\nmemory=64\nextra='root=/dev/xvdb1 ro'\n"
                              "disk=['/srv/data.img,,xvda','/srv/root.img,,xvdb',\n"
                              "'/srv/c.iso,,hdc,cdrom']\n"),
                 0);
    make(1, (struct xl_wishes){0});
    const struct image *image = &find(OBJECT_KIND_IMAGE, "a")->image;
    cr_assert_str_eq(image->source, "file:///srv/root.img");
    cr_assert_str_eq(image->command_line, "root=/dev/xvda1 ro");
    cr_assert(told(0, XL_WARNING, 5, "/srv/data.img"));
    cr_assert(told(0, XL_WARNING, 6, "hdc"));
}

Test(xl_import, paths_become_urls_and_scripts_stay)
{
    cr_assert_eq(read_file(0, "name='a'\nkernel='/k'\nmemory=64\n"
                              "disk=['/srv/my disk#1.img,,xvda']\n"
                              "vif=['bridge=br_LAN,script=vif-route']\n"),
                 0);
    make(1, (struct xl_wishes){0});
    cr_assert_str_eq(find(OBJECT_KIND_IMAGE, "a")->image.source,
                     "file:///srv/my%20disk%231.img");
    const struct network *network = &find(OBJECT_KIND_NETWORK, "br-lan-vif-route")->network;
    cr_assert_str_eq(network->bridge, "br_LAN");
    cr_assert_str_eq(network->script, "/etc/xen/scripts/vif-route");
}

Test(xl_import, unknown_keys_get_a_suggestion)
{
    cr_assert_eq(read_file(0, "name='a'\nkernel='/k'\nmemory=64\nramdsik='/r'\n"), 0);
    cr_assert(told(0, XL_WARNING, 4, "did you mean \"ramdisk\""));
}

Test(xl_import, a_bridge_that_linux_cannot_have_is_a_mistake)
{
    struct xl_wishes wishes = {.kind = SERVICE_KIND_WEB};
    cr_assert_eq(read_file(0, "name='a'\nkernel='/k'\nmemory=64\n"
                              "vif=['bridge=a-bridge-with-a-long-name']\n"),
                 0);
    cr_assert_lt(xl_objects_make(sources, 1, &wishes, objects), 0);
    cr_assert(told(0, XL_MISTAKE, 0, "at most 15"));
}
