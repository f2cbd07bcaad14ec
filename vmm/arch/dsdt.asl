// SPDX-License-Identifier: Apache-2.0
// What ACPI's interpreter is told of the machine: soft-off as S5, the serial port and the keyboard.
// Compiled by iasl.
DefinitionBlock ("dsdt.aml", "DSDT", 2, "MOTE", "MOTEDSDT", 1)
{
    // Sleep type of S5; written to the sleep control register that the FADT names.
    Name (\_S5, Package () { 5, 0, 0, 0 })

    Scope (\_SB)
    {
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                IRQNoFlags () { 4 }
            })
        }

        Device (PS2K)
        {
            Name (_HID, EisaId ("PNP0303"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0060, 0x0060, 1, 1)
                IO (Decode16, 0x0064, 0x0064, 1, 1)
                IRQNoFlags () { 1 }
            })
        }
    }
}
