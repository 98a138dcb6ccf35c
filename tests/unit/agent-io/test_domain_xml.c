// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "node-agent/io/driver/guest_kernel.c"
#include "node-agent/io/libvirt/domain_xml.c"

static struct hypervisor_call call;
static char xml[DOMAIN_XML_SIZE];

static struct domain_plan plan_of(enum libvirt_kind kind)
{
    call = (struct hypervisor_call){.kind = HYPERVISOR_CALL_CREATE};
    (void)snprintf(call.order.vm, sizeof(call.order.vm), "web-1");
    (void)snprintf(call.order.uuid, sizeof(call.order.uuid),
                   "11111111-2222-4333-8444-a1b2c3d4e5f6");
    (void)snprintf(call.order.bridge, sizeof(call.order.bridge), "br0");
    (void)snprintf(call.address, sizeof(call.address), "10.0.0.11/24");
    call.order.generation = 7;
    call.order.cap_pct = 35;
    call.order.weight = 256;
    call.order.vcpus = 1;
    call.order.vcpus_max = 2;
    call.order.memory_kib = 65536;
    call.order.memory_max_kib = 131072;
    call.order.port = 8080;
    return (struct domain_plan){
        .kind = kind, .node = "node-1", .disk = "/disks/x", .call = &call};
}

Test(domain_xml, container_gets_its_cap_its_limit_and_its_address)
{
    struct domain_plan plan = plan_of(LIBVIRT_LXC);
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "<domain type='lxc'><name>web-1</name>") != NULL);
    cr_assert(strstr(xml, "<period>100000</period><quota>35000</quota>") != NULL);
    cr_assert(strstr(xml, "<shares>1024</shares>") != NULL);
    cr_assert(strstr(xml, "<hard_limit unit='KiB'>65536</hard_limit>") != NULL);
    cr_assert(strstr(xml, "<initenv name='ARBITER_ADDRESS'>10.0.0.11/24</initenv>") != NULL);
    cr_assert(strstr(xml, "ARBITER_GATEWAY") == NULL, "libvirt refuses an empty variable");
    cr_assert(strstr(xml, "<source bridge='br0'/><mac address='52:54:00:d4:e5:f6'/>"
                          "<target dev='arba1b2c3d4e5f6'/>") != NULL);
}

Test(domain_xml, machine_has_its_quota_for_all_threads_together)
{
    struct domain_plan plan = plan_of(LIBVIRT_KVM);
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "<global_quota>35000</global_quota>") != NULL);
    cr_assert(strstr(xml, "<vcpu current='1'>2</vcpu>") != NULL);
    call.order.vcpus = 2;
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "<vcpu id='0' enabled='yes' hotpluggable='no'/>"
                          "<vcpu id='1' enabled='yes' hotpluggable='yes'/>") != NULL);
    call.order.net_rate_kib_s = 100;
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "bandwidth") == NULL, "set when it runs");
}

Test(domain_xml, machine_has_a_power_button_with_and_without_a_kernel_of_the_host)
{
    struct domain_plan plan = plan_of(LIBVIRT_QEMU);
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "<boot dev='hd'/>") != NULL);
    cr_assert(strstr(xml, "<features><acpi/></features>") != NULL);
    (void)snprintf(call.order.kernel, sizeof(call.order.kernel), "/boot/vmlinuz");
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "<features><acpi/></features>") != NULL);
}

Test(domain_xml, guest_of_xen_starts_with_a_kernel_of_the_host_and_has_no_quota)
{
    struct domain_plan plan = plan_of(LIBVIRT_XEN);
    struct err err = {0};
    cr_assert_eq(domain_xml(&plan, xml, &err), -EINVAL);
    cr_assert(strstr(err.text, "kernel") != NULL);
    (void)snprintf(call.order.kernel, sizeof(call.order.kernel), "/boot/vmlinuz");
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "<domain type='xen'>") != NULL);
    cr_assert(strstr(xml, "<type>xenpvh</type><kernel>/boot/vmlinuz</kernel>") != NULL);
    cr_assert(strstr(xml, "<target dev='xvda' bus='xen'/>") != NULL);
    cr_assert(strstr(xml, "cputune") == NULL, "libvirt would refuse it for Xen");
    cr_assert(strstr(xml, "virtio") == NULL);
    call.order.guest_type = GUEST_TYPE_PV;
    (void)snprintf(call.address, sizeof(call.address), "10.9.0.101/24");
    (void)snprintf(call.gateway, sizeof(call.gateway), "10.9.0.1");
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "<type>linux</type>") != NULL);
    cr_assert(strstr(xml, " ip=10.9.0.101::10.9.0.1:255.255.255.0:web-1:eth0:off") != NULL);
}

Test(domain_xml, markup_in_a_text_stays_a_text)
{
    struct domain_plan plan = plan_of(LIBVIRT_LXC);
    (void)snprintf(call.order.bridge, sizeof(call.order.bridge), "x'/><filesystem>&\"");
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
    cr_assert(strstr(xml, "bridge='x&apos;/&gt;&lt;filesystem&gt;&amp;&quot;'") != NULL);
}

Test(domain_xml, control_characters_are_refused)
{
    struct domain_plan plan = plan_of(LIBVIRT_LXC);
    (void)snprintf(call.order.init, sizeof(call.order.init), "/init\x01");
    struct err err = {0};
    cr_assert_eq(domain_xml(&plan, xml, &err), -EINVAL);
    cr_assert(strstr(err.text, "web-1") != NULL);
}

Test(domain_xml, longest_texts_fit)
{
    struct domain_plan plan = plan_of(LIBVIRT_KVM);
    memset(call.order.kernel, '&', sizeof(call.order.kernel) - 1);
    memset(call.order.ramdisk, '&', sizeof(call.order.ramdisk) - 1);
    memset(call.order.command_line, '\'', sizeof(call.order.command_line) - 1);
    memset(call.order.bridge, '\'', sizeof(call.order.bridge) - 1);
    cr_assert_eq(domain_xml(&plan, xml, NULL), 0);
}

Test(domain_xml, mark_is_read_as_libvirt_writes_it)
{
    struct domain_mark mark;
    cr_assert_eq(
        domain_mark_parse("<vm name=\"web-1\" node=\"node-1\" address=\"10.0.0.11/24\" "
                          "generation=\"18446744073709551615\"/>",
                          &mark),
        0);
    cr_assert_str_eq(mark.vm, "web-1");
    cr_assert_str_eq(mark.node, "node-1");
    cr_assert_str_eq(mark.address, "10.0.0.11/24");
    cr_assert_eq(mark.generation, UINT64_MAX);
}

Test(domain_xml, what_is_no_mark_of_ours_is_refused)
{
    static const char *const wrong[] = {
        "",
        "<vm/>",
        "<vm name='a' node='b' address=''/>",
        "<vm name='a' node='b' address='' generation=''/>",
        "<vm name='a' node='b' address='' generation='1x'/>",
        "<vm name='a' node='b' address='' generation='99999999999999999999'/>",
        "<vm name='a&amp;b' node='b' address='' generation='1'/>",
        "<vm name='a node='b' address='' generation=",
        "<vm name=a node='b' address='' generation='1'/>",
    };
    struct domain_mark mark = {.generation = 5};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(domain_mark_parse(wrong[i], &mark), -EINVAL, "%s", wrong[i]);
    }
    cr_assert_eq(mark.generation, 5, "nothing is half read");
}

Test(domain_xml, no_cap_has_many_faces_and_one_value)
{
    cr_assert_eq(cap_of_quota(-1, 100000), UINT32_MAX);
    cr_assert_eq(cap_of_quota(0, 100000), UINT32_MAX);
    cr_assert_eq(cap_of_quota(1000, 0), UINT32_MAX);
    cr_assert_eq(cap_of_quota(INT64_MAX, 1), UINT32_MAX);
    for (uint32_t cap_pct = 1; cap_pct <= 6400; cap_pct++) {
        cr_assert_eq(cap_of_quota(quota_of_cap(cap_pct), CAP_PERIOD_US), cap_pct);
    }
}

Test(domain_xml, weights_come_back_as_they_were_set)
{
    for (uint32_t weight = 1; weight <= 65535; weight++) {
        cr_assert_eq(weight_of_shares(shares_of_weight(weight)), weight);
    }
    cr_assert_eq(shares_of_weight(256), 1024);
}
