// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/xl_device.h"

static struct xl_messages *messages;

static void begin(void)
{
    messages = calloc(1, sizeof *messages);
}
static void end(void)
{
    free(messages);
}
TestSuite(xl_device, .init = begin, .fini = end, .timeout = 20);

/* The forms that xl-disk-configuration(5) calls equal, and those of xm. */
Test(xl_device, all_forms_of_a_disk_mean_the_same)
{
    static const char *const forms[] = {
        "/dev/vg/guest-volume,,xvda",
        "/dev/vg/guest-volume,raw,xvda,rw",
        " /dev/vg/guest-volume , raw , xvda , w ",
        "format=raw, vdev=xvda, access=rw, target=/dev/vg/guest-volume",
        "vdev=xvda,target=/dev/vg/guest-volume",
        "raw:/dev/vg/guest-volume,xvda,w",
        "phy:/dev/vg/guest-volume,xvda,w",
        "phy:vg/guest-volume,xvda,w",
        "vg/guest-volume,raw,xvda",
        "/dev/vg/guest-volume,raw,xvda,rw,backendtype=phy,direct-io-safe,discard",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct xl_disk disk;
        cr_assert_eq(xl_disk_parse(forms[i], 3, &disk, messages), 0, "%s", forms[i]);
        cr_assert_str_eq(disk.target, "/dev/vg/guest-volume", "%s: %s", forms[i], disk.target);
        cr_assert_str_eq(disk.vdev, "xvda", "%s: %s", forms[i], disk.vdev);
        cr_assert_str_eq(disk.format, "raw", "%s", forms[i]);
        cr_assert(!disk.read_only && !disk.cdrom && !disk.scripted, "%s", forms[i]);
        cr_assert_eq(disk.line, 3);
    }
}

Test(xl_device, a_drive_is_known_in_all_its_forms)
{
    static const char *const forms[] = {
        "/root/image.iso,,hdc,cdrom",
        "/root/image.iso,,hdc,,cdrom",
        "/root/image.iso,raw,hdc,devtype=cdrom",
        "format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/root/image.iso",
        "raw:/root/image.iso,hdc:cdrom,ro",
        "file:/root/image.iso,hdc:cdrom,r",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct xl_disk disk;
        cr_assert_eq(xl_disk_parse(forms[i], 1, &disk, messages), 0, "%s", forms[i]);
        cr_assert(disk.cdrom && disk.read_only, "%s", forms[i]);
        cr_assert_str_eq(disk.target, "/root/image.iso", "%s", forms[i]);
        cr_assert_str_eq(disk.vdev, "hdc", "%s", forms[i]);
    }
}

Test(xl_device, a_named_target_takes_the_rest_with_commas)
{
    struct xl_disk disk;
    cr_assert_eq(xl_disk_parse("vdev=xvda,target=/srv/a,b:c.img", 1, &disk, messages), 0);
    cr_assert_str_eq(disk.target, "/srv/a,b:c.img");
}

Test(xl_device, formats_and_old_prefixes_are_kept)
{
    struct xl_disk disk;
    cr_assert_eq(xl_disk_parse("tap:qcow2:/srv/a.qcow2,xvda,w", 1, &disk, messages), 0);
    cr_assert_str_eq(disk.format, "qcow2");
    cr_assert_eq(xl_disk_parse("/srv/a.qcow2,qcow2,xvda,r", 1, &disk, messages), 0);
    cr_assert_str_eq(disk.format, "qcow2");
    cr_assert(disk.read_only);
    cr_assert_eq(xl_disk_parse("tap2:aio:/srv/a.img,xvda1,w", 1, &disk, messages), 0);
    cr_assert_str_eq(disk.format, "raw");
    cr_assert_str_eq(disk.vdev, "xvda1");
    cr_assert_eq(xl_disk_parse("script=block-nbd,vdev=xvda,target=host:7", 1, &disk, messages),
                 0);
    cr_assert(disk.scripted);
}

Test(xl_device, wrong_disks_are_told)
{
    static const char *const wrong[] = {
        "/srv/a.img",                 /* no device */
        "/srv/a.img,zip,xvda,w",      /* format */
        "/srv/a.img,raw,xvda,x",      /* access */
        "/srv/a.img,raw,xvda,w,more", /* a position too many */
        "colour=red,vdev=xvda,target=/a",
        "",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct xl_disk disk;
        uint32_t before = messages->mistakes;
        cr_assert_lt(xl_disk_parse(wrong[i], 5, &disk, messages), 0, "\"%s\"", wrong[i]);
        cr_assert_gt(messages->mistakes, before, "\"%s\"", wrong[i]);
    }
}

Test(xl_device, interfaces_are_read)
{
    struct xl_vif vif;
    cr_assert_eq(xl_vif_parse("mac=00:16:3e:11:22:33, bridge=xenbr0,rate=10Mb/s@50ms,"
                              "script=vif-route, ip=10.0.0.5,vifname=web0,type=vif",
                              9, &vif, messages),
                 0);
    cr_assert_str_eq(vif.bridge, "xenbr0");
    cr_assert_str_eq(vif.mac, "00:16:3e:11:22:33");
    cr_assert_str_eq(vif.ip, "10.0.0.5");
    cr_assert_str_eq(vif.script, "vif-route");
    cr_assert_eq(vif.rate_kib_s, 1220);
    cr_assert_eq(xl_vif_parse("", 1, &vif, messages), 0);
    cr_assert_str_eq(vif.bridge, "");
    cr_assert_lt(xl_vif_parse("brigde=x", 1, &vif, messages), 0);
    cr_assert_lt(xl_vif_parse("rate=fast", 1, &vif, messages), 0);
}

Test(xl_device, rates_have_bits_bytes_and_thousands)
{
    cr_assert_eq(xl_rate_parse("8Kb/s"), 1);
    cr_assert_eq(xl_rate_parse("1024KB/s"), 1000);
    cr_assert_eq(xl_rate_parse("1MB/s"), 976);
    cr_assert_eq(xl_rate_parse("1Gb/s"), 122070);
    cr_assert_eq(xl_rate_parse("1b/s"), 1);
    cr_assert_eq(xl_rate_parse("10"), 0);
    cr_assert_eq(xl_rate_parse("0MB/s"), 0);
    cr_assert_eq(xl_rate_parse("-1MB/s"), 0);
    cr_assert_eq(xl_rate_parse("99999999999999999999GB/s"), 0);
    cr_assert_eq(xl_rate_parse("99999999999999GB/s"), 0);
    cr_assert_eq(xl_rate_parse("1MB/sec"), 0);
}
