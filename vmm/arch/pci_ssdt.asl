// SPDX-License-Identifier: Apache-2.0
// The PCI bus: its number, its windows for BARs, its configuration space, and functions that it can
// lose. A pattern: pci_ssdt.cpp fills in the window above 4 GiB, which depends on the size of RAM, and
// repeats the last two devices for each such function. There is no _PRT, because functions have no
// pins. Compiled by iasl.
DefinitionBlock ("pci_ssdt.aml", "SSDT", 2, "MOTE", "MOTEPCI", 1)
{
    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0)
            Name (_BBN, 0)
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0, 0xC0000000, 0xCFFFFFFF, 0, 0x10000000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Prefetchable, ReadWrite,
                    0, 0xA5A500000000, 0xA5E4FFFFFFFF, 0, 0x4000000000)
            })
        }

        // Says that configuration space as memory is in use, or Linux does not believe the MCFG.
        Device (ECAM)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
            })
        }
    }

    // A function that the host may ask for: UnplugPorts of devices/pci/unplug.hpp.
    Device (\_SB.PCI0.SLOT)
    {
        Name (_ADR, 0xA5A50000)
        Name (_SUN, 0xA5)
        Name (MASK, 0x5A5A5A5A)
        OperationRegion (REGS, SystemIO, 0x0610, 8)
        Field (REGS, DWordAcc, NoLock, WriteAsZeros)
        {
            ASKD, 32,
            EJCT, 32
        }
        Method (_EJ0, 1)
        {
            EJCT = MASK
        }
        Method (TELL, 0, Serialized)
        {
            If (ASKD & MASK)
            {
                ASKD = MASK
                Notify (\_SB.PCI0.SLOT, 3) // eject request
            }
        }
    }

    // The interrupt by which it does: a generic event device for each, which all have the same line.
    Device (\_SB.UNPL)
    {
        Name (_HID, "ACPI0013")
        Name (_UID, 0xA5)
        Name (_CRS, ResourceTemplate ()
        {
            Interrupt (ResourceConsumer, Edge, ActiveHigh, Shared) { 13 }
        })
        Method (_EVT, 1)
        {
            \_SB.PCI0.SLOT.TELL ()
        }
    }
}
