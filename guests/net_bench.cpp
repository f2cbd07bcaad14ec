// SPDX-License-Identifier: Apache-2.0
// net_bench: an interface under load, driven from ring 3. `net=N` selects it.
//
// `mode=tx`    sends frames of `size` bytes as fast as they are taken.
// `mode=rx`    prints `ready`, then counts what comes; the clock starts at the first frame, which
//              has to come within `patience=20` seconds. `frames=N` ends it early, when so many came.
// `mode=rtt`   sends a frame and waits until it comes back, one at a time; a host end swaps the
//              addresses and returns it. After 100 ms it counts as lost and the next one is sent.
// `mode=echo`  prints `ready` and returns each frame with its addresses swapped, virtio's header as
//              it came, for `seconds`: for a host end that measures.
//
// A frame (tx, rtt) goes to `to=02:00:00:00:00:fe`, has Ethertype 88B5h (local experiments: a host
// drops it at once) and a running number of 8 bytes, little endian, at offset 14. In rx such numbers
// tell what is lost. With `gso=BYTES` tx sends TCP segments over IPv4 instead, to be cut to BYTES of
// payload by the device or behind it; their checksum is left to do.
//
// `size=64` bytes of a frame with its Ethernet header, without virtio's: 60 to 65549.
// `depth=256` frames (tx) or buffers (rx, echo) in each queue, `batch=32` of them published at once.
// `pieces=1` descriptors of a frame in tx. `queues=1` pairs in use. `seconds=2`, behind 300 ms that
// do not count (tx, rx, rtt). `wait=poll|irq`. `mergeable=1|0`, `event_index=1|0`; `offloads=0|1`:
// lets the device pass on large frames and such without checksum (rx, echo).
// `buffer=BYTES` of each receive buffer (default: 2048, or a whole frame where they do not merge).
//
// Prints `measuring`, then `measured` and lines `result name value unit`:
// tx, rx, echo: frame_rate 1/s, byte_rate B/s (of frames), frames count, bytes B, kicks count,
//   interrupts count, elapsed us; rx also buffers count, lost count.
// rtt: rtt_mean us, rtt_min us, rtt_p50 us, rtt_p99 us, frames count, lost count, kicks count,
//   interrupts count, elapsed us.
