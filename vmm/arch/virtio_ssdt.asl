// SPDX-License-Identifier: Apache-2.0
// The description of one virtio-mmio device, as a pattern: virtio_ssdt.cpp repeats it and fills in
// name, number, address and interrupt. Compiled by iasl.
DefinitionBlock ("virtio_ssdt.aml", "SSDT", 2, "MOTE", "MOTEVIRT", 1)
{
    Device (\_SB.VIRT)
    {
        Name (_HID, "LNRO0005")
        Name (_UID, 0xA5)
        Name (_CRS, ResourceTemplate ()
        {
            Memory32Fixed (ReadWrite, 0xA5A5A5A5, 0x1000)
            Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 0x5A5A5A5A }
        })
    }
}
