#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mote serve` with real guests, by plain sockets. Run with MOTE=path/to/mote and GUESTS=folder/of/guests; needs /dev/kvm, and root for
what has to do with taps. Words name parts, classes or tests: serve_life.Pause."""

import sys
import unittest

PARTS = ["serve_life", "serve_files", "serve_watch"]

if __name__ == "__main__":
    unittest.main(module=None, argv=[sys.argv[0], *(sys.argv[1:] or PARTS)], verbosity=2, warnings="ignore")
