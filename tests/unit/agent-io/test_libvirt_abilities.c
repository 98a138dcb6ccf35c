// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "node-agent/io/libvirt/abilities.c"

#define RATES_AND_SHARES (RATES | SHARES)

Test(libvirt_abilities, kind_follows_from_what_libvirt_says_of_itself)
{
    cr_assert_eq(abilities_kind("LXC"), LIBVIRT_LXC);
    cr_assert_eq(abilities_kind("Xen"), LIBVIRT_XEN);
    cr_assert_eq(abilities_kind("QEMU"), LIBVIRT_QEMU);
    cr_assert_eq(abilities_kind("TEST"), LIBVIRT_TEST);
    cr_assert_eq(abilities_kind("VMware"), LIBVIRT_UNKNOWN);
    cr_assert_eq(abilities_of(LIBVIRT_UNKNOWN, true), 0);
}

Test(libvirt_abilities, xen_through_libvirt_has_a_life_cycle_and_amounts_but_no_caps_and_rates)
{
    uint32_t able = abilities_of(LIBVIRT_XEN, true);
    cr_assert_eq(able & RATES_AND_SHARES, 0);
    cr_assert_eq(able & LIFE_CYCLE, LIFE_CYCLE);
    cr_assert_neq(able & CAPABILITY_VCPUS, 0);
    cr_assert_neq(able & CAPABILITY_MEMORY, 0);
    cr_assert_neq(able & CAPABILITY_SUSPEND, 0);
    cr_assert(strstr(abilities_refusal(LIBVIRT_XEN, CAPABILITY_CAP), "credit") != NULL);
}

Test(libvirt_abilities, machines_of_qemu_have_all_but_vcpus_without_kvm_migration_and_fence)
{
    uint32_t able = abilities_of(LIBVIRT_QEMU, false);
    cr_assert_eq(able & RATES_AND_SHARES, RATES_AND_SHARES);
    cr_assert_eq(able | CAPABILITY_VCPUS, abilities_of(LIBVIRT_KVM, false));
    cr_assert_eq(able & CAPABILITY_VCPUS, 0,
                 "only with KVM a VCPU that went is known to be gone");
    cr_assert(strstr(abilities_refusal(LIBVIRT_QEMU, CAPABILITY_VCPUS), "KVM") != NULL);
    cr_assert_eq(able & (CAPABILITY_MIGRATE | CAPABILITY_SELF_FENCE), 0);
}

Test(libvirt_abilities, containers_have_a_disk_rate_only_where_the_kernel_can_limit_it)
{
    cr_assert_eq(abilities_of(LIBVIRT_LXC, false) & CAPABILITY_DISK_RATE, 0);
    cr_assert_neq(abilities_of(LIBVIRT_LXC, true) & CAPABILITY_DISK_RATE, 0);
    cr_assert_eq(abilities_of(LIBVIRT_LXC, true) & (CAPABILITY_VCPUS | CAPABILITY_SUSPEND), 0);
}

Test(libvirt_abilities, nothing_declares_more_than_a_fence_that_is_none)
{
    for (int kind = LIBVIRT_LXC; kind <= LIBVIRT_XEN; kind++) {
        cr_assert_eq(abilities_of((enum libvirt_kind)kind, true) &
                         (CAPABILITY_SELF_FENCE | CAPABILITY_MODEL | CAPABILITY_MIGRATE),
                     0);
    }
}

Test(libvirt_abilities, what_is_not_declared_has_a_reason)
{
    for (int kind = LIBVIRT_LXC; kind <= LIBVIRT_XEN; kind++) {
        uint32_t able = abilities_of((enum libvirt_kind)kind, false);
        for (uint32_t bit = CAPABILITY_CREATE; bit <= CAPABILITY_SELF_FENCE; bit <<= 1) {
            const char *why = abilities_refusal((enum libvirt_kind)kind, (enum capability)bit);
            cr_assert((able & bit) != 0 || why[0] != '\0', "kind %d, capability %u", kind, bit);
        }
    }
}
