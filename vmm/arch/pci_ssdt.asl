// SPDX-License-Identifier: Apache-2.0
// The PCI bus: its number, its windows for BARs, its configuration space. A pattern for what depends
// on the size of RAM: pci_ssdt.cpp fills in the window above 4 GiB. There is no _PRT, because
// functions have no pins. Compiled by iasl.
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
}
