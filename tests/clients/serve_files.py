# SPDX-License-Identifier: Apache-2.0
"""What a VM behind its API may have of the host: its socket, descriptors, folders, taps, configuration files."""

import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import tempfile
import unittest

from vm import ALONE, GUESTS, IS_ROOT, MIB, MOTE, PATIENCE, PAUSE, POWER_OFF, START, STOPPED, TOO_EARLY, TOO_LATE, USAGE, Vm, idle, make_disk, needs_a_vm, wait_for

setUpModule = needs_a_vm


class Socket(unittest.TestCase):
    def serve(self, *words):
        return subprocess.run([MOTE, "serve", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)

    def test_one_that_is_served_is_left_alone(self):
        with Vm() as vm:
            second = self.serve("--api-sock", vm.socket)
            self.assertEqual(second.returncode, USAGE)
            self.assertIn("a process serves this socket", second.stderr)
            self.assertEqual(vm.state(), "Not started")

    def test_what_is_no_socket_is_left_alone(self):
        with tempfile.NamedTemporaryFile() as file:
            self.assertEqual(self.serve("--api-sock", file.name).returncode, USAGE)
            self.assertTrue(os.path.exists(file.name))

    def test_somebody_elses_is_not_removed(self):
        with Vm() as vm:
            os.unlink(vm.socket)
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(vm.socket)
                vm.signal()
                self.assertEqual(vm.end(), 143)
                self.assertTrue(stat.S_ISSOCK(os.stat(vm.socket).st_mode))

    def test_a_folder_that_is_not_there(self):
        result = self.serve("--api-sock", "/nonexistent/api.sock")
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot listen at '/nonexistent/api.sock': No such file or directory (ENOENT)", result.stderr)

    def test_a_command_line_without_either(self):
        for words in ((), ("--no-api",)):
            self.assertEqual(self.serve(*words).returncode, USAGE)


class Descriptors(unittest.TestCase):
    """Disks that come with the request, from folders that the VM does not see."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mote-unseen-")
        self.addCleanup(folder.cleanup)
        self.unseen = pathlib.Path(folder.name)
        self.unseen.chmod(0o700)

    def send(self, vm, method, path, body, *files):
        text = json.dumps(body).encode()
        request = b"%s %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (method.encode(), path.encode(), len(text), text)
        client = vm.client()
        client.connect()
        handles = [open(file, "r+b") for file in files]
        socket.send_fds(client.sock, [request], [handle.fileno() for handle in handles])
        for handle in handles:
            handle.close()
        answer = client.sock.recv(65536).decode()
        client.close()
        return int(answer.split()[1]), answer

    def test_a_disk(self):
        with Vm() as vm:
            disk = make_disk(self.unseen / "disk.img")
            status, answer = self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False}, disk)
            self.assertEqual(status, 204, answer)
            self.assertIsNone(vm.do("GET", "/vm/config")["drives"][0]["path_on_host"])
            vm.boot("block", "disk=0 id=data")
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertIn("\nDONE", vm.output())
            self.assertNotIn("FAIL", vm.output())

    def test_a_disk_in_place_of_another(self):
        with Vm() as vm:
            vm.put_drive("data", make_disk(vm.folder / "data.img"))
            vm.boot("block_events", "disk=0 wait=resize")
            vm.wait_for_output("ready for resize")
            status, answer = self.send(vm, "PATCH", "/drives/data", {"drive_id": "data"}, make_disk(self.unseen / "new.img", 24 * MIB))
            self.assertEqual(status, 204, answer)
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertIn(f"capacity {24 * MIB // 512}\n", vm.output())
            self.assertNotIn("FAIL", vm.output())

    def test_what_takes_none_refuses_them(self):
        with Vm() as vm:
            disk = make_disk(self.unseen / "disk.img")
            self.assertEqual(self.send(vm, "PUT", "/machine-config", {"vcpu_count": 1, "mem_size_mib": 64}, disk)[0], 400)
            self.assertEqual(self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False}, disk, disk)[0], 400)
            self.assertEqual(self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False})[0], 400)

    def test_what_is_no_disk(self):
        with Vm() as vm:
            status, answer = self.send(vm, "PUT", "/drives/data", {"drive_id": "data", "is_root_device": False}, "/dev/null")
            self.assertEqual(status, 400, answer)
            self.assertEqual(vm.do("GET", "/vm/config")["drives"], [])


class Folders(unittest.TestCase):
    """What --dir lets a client name."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mote-dirs-")
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        self.top.chmod(0o755)
        for name in ("open", "closed"):
            (self.top / name).mkdir(mode=0o777)
            (self.top / name).chmod(0o777)
            make_disk(self.top / name / "disk.img", MIB)
        make_disk(self.top / "disk.img", MIB)

    def drive(self, vm, path):
        return vm.ask("PUT", "/drives/data", {"drive_id": "data", "is_root_device": False, "path_on_host": str(path)})

    def test_what_is_in_one(self):
        with Vm("--dir", str(self.top / "open")) as vm:
            self.assertEqual(self.drive(vm, self.top / "open/disk.img")[0], 204)
            (self.top / "open/later").mkdir()
            make_disk(self.top / "open/later/disk.img", MIB)
            make_disk(self.top / "open/target.img", MIB)
            (self.top / "open/link").symlink_to("target.img")
            self.assertEqual(self.drive(vm, self.top / "open/link")[0], 204)
            self.assertEqual(self.drive(vm, self.top / "open/later/disk.img")[0], 204)

    def test_what_is_not(self):
        with Vm("--dir", str(self.top / "open")) as vm:
            ways_out = {
                "beside": self.top / "closed/disk.img",
                "above": self.top / "disk.img",
                "dots": f"{self.top}/open/../disk.img",
                "more dots": f"{self.top}/open/../../../../../../../../etc/passwd",
                "the host's": "/etc/passwd",
                "the host's devices": "/dev/zero",
                "through a process": f"/proc/{os.getpid()}/root{self.top}/disk.img",
                "through itself": f"/proc/self/root{self.top}/disk.img",
            }
            for number, target in enumerate((self.top / "closed/disk.img", "../closed/disk.img", "/etc/passwd", "../../../../../../etc/passwd")):
                link = self.top / f"open/link{number}"
                link.symlink_to(target)
                ways_out[f"link to {target}"] = link
            (self.top / "open/folder").symlink_to(self.top / "closed")
            ways_out["link to a folder"] = self.top / "open/folder/disk.img"
            for way, path in ways_out.items():
                with self.subTest(way=way):
                    status, answer = self.drive(vm, path)
                    self.assertEqual(status, 400, answer)
                    self.assertIn("--dir", answer["fault_message"])
            self.assertEqual(vm.do("GET", "/vm/config")["drives"], [])
            for path in ("/boot-source", "/logger", "/metrics", "/serial"):
                key = {"/boot-source": "kernel_image_path", "/logger": "log_path", "/metrics": "metrics_path", "/serial": "serial_out_path"}[path]
                with self.subTest(path=path):
                    self.assertIn("--dir", vm.refused("PUT", path, {key: str(self.top / "closed/disk.img")}))

    def test_one_that_is_not_there(self):
        result = subprocess.run([MOTE, "serve", "--api-sock", str(self.top / "api.sock"), "--dir", str(self.top / "nothing")],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        self.assertIn(result.returncode, (1, USAGE))
        self.assertIn(str(self.top / "nothing"), result.stderr)
        self.assertFalse((self.top / "api.sock").exists())

    def test_files_that_a_running_guest_is_given(self):
        with Vm("--dir", str(self.top / "open")) as vm:
            idle(vm)
            change = {"drive_id": "data", "path_on_host": str(self.top / "open/disk.img")}
            vm.do("PATCH", "/drives/data", change)
            for path in (f"{self.top}/closed/disk.img", f"{self.top}/open/../closed/disk.img", "/etc/passwd"):
                self.assertIn("--dir", vm.refused("PATCH", "/drives/data", change | {"path_on_host": path}))
            self.assertEqual(vm.do("GET", "/vm/config")["drives"][0]["path_on_host"], str(self.top / "open/disk.img"))

    def test_without_a_sandbox_all_is_there(self):
        with Vm("--no-sandbox") as vm:
            self.assertEqual(self.drive(vm, self.top / "closed/disk.img")[0], 204)


@unittest.skipUnless(IS_ROOT and shutil.which("unshare"), "a network namespace takes root and unshare")
class Taps(unittest.TestCase):
    def net(self, vm, tap="tap0", **more):
        return vm.ask("PUT", "/network-interfaces/eth0", {"iface_id": "eth0", "host_dev_name": tap, **more})

    def test_one_that_was_named(self):
        with Vm("--tap", "tap0", before=ALONE) as vm:
            status, answer = self.net(vm, guest_mac="02:00:5e:00:53:01")
            self.assertEqual(status, 204, answer)
            vm.boot("cmdline")
            self.assertEqual(vm.end(), POWER_OFF)
            self.assertIn("device base 0xd0000000 ", vm.output())

    def test_one_that_was_not(self):
        with Vm(before=ALONE) as vm:
            status, answer = self.net(vm)
            self.assertEqual(status, 400)
            self.assertIn("--tap", answer["fault_message"])
            self.assertEqual(vm.do("GET", "/vm/config")["network-interfaces"], [])

    def test_limits_have_their_time_behind_the_start(self):
        change = ("PATCH", "/network-interfaces/eth0", {"iface_id": "eth0", "rx_rate_limiter": {"bandwidth": {"size": MIB, "refill_time": 1000}}})
        with Vm("--tap", "tap0", before=ALONE) as vm:
            self.assertEqual(self.net(vm)[0], 204)
            self.assertEqual(vm.refused(*change), TOO_EARLY)
            idle(vm)
            vm.do(*change)
            vm.do(*PAUSE)
            vm.do(*change)
            self.assertEqual(vm.do("GET", "/vm/config")["network-interfaces"][0]["rx_rate_limiter"]["bandwidth"]["size"], MIB)
            self.assertEqual(self.net(vm)[1]["fault_message"], TOO_LATE)


class ConfigFile(unittest.TestCase):
    JSON = {
        "boot-source": {"kernel_image_path": f"{GUESTS}/GUEST.elf", "boot_args": "a=1"},
        "machine-config": {"vcpu_count": 2, "mem_size_mib": 64},
        "drives": [{"drive_id": "data", "is_root_device": False, "path_on_host": "FOLDER/data.img"}],
        "logger": None, "vsock": None, "something-new": {"a": 1},
    }
    TOML = (f'[kernel]\npath = "{GUESTS}/GUEST.elf"\ncmdline = "a=1"\n[machine]\nvcpus = 2\nmemory = "64MiB"\n'
            '[[block]]\nid = "data"\npath = "data.img"\n')

    def vm(self, kind, guest, *options, **more):
        """A VM whose file is written when its folder is there."""
        text = json.dumps(self.JSON) if kind == "json" else self.TOML

        class Configured(Vm):
            def start(self):
                (self.folder / f"vm.{kind}").write_text(text.replace("GUEST.elf", f"{guest}.elf").replace("FOLDER", str(self.folder)))
                make_disk(self.folder / "data.img")
                super().start()

        return Configured("--config-file", f"FOLDER/vm.{kind}", *options, **more)

    def test_the_vm_runs_at_once(self):
        for kind in ("json", "toml"):
            with self.subTest(kind=kind), self.vm(kind, "halt_forever") as vm:
                wait_for(lambda: vm.state() == "Running", "a guest")
                config = vm.do("GET", "/vm/config")
                self.assertEqual((config["machine-config"]["vcpu_count"], config["machine-config"]["mem_size_mib"]), (2, 64))
                self.assertEqual([drive["drive_id"] for drive in config["drives"]], ["data"])
                self.assertEqual(vm.refused(*START), TOO_LATE)
                vm.do(*PAUSE)
                vm.stop()
                self.assertEqual(vm.end(), STOPPED)

    def test_without_an_api(self):
        for kind in ("json", "toml"):
            with self.subTest(kind=kind), self.vm(kind, "hello", "--no-api", listens=False) as vm:
                self.assertEqual(vm.end(), POWER_OFF, vm.errors())
                self.assertRegex(vm.output(), r'vCPUs 2, memory 6\d{4} KiB, command line "a=1')

    def test_one_that_is_wrong(self):
        for kind, text in (("json", '{"boot-source": {}}'), ("json", "{"), ("toml", "[kernel]\n"), ("toml", "x = ")):
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, f"vm.{kind}")
                path.write_text(text)
                result = subprocess.run([MOTE, "serve", "--config-file", str(path), "--no-api"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(result.returncode, USAGE, text)
                self.assertTrue(result.stderr.startswith("mote: "), result.stderr)


class PciBus(unittest.TestCase):
    """What `firecracker --enable-pci` asks for."""

    class Called(Vm):
        def command(self):
            program = self.folder / "firecracker"
            program.symlink_to(pathlib.Path(MOTE).resolve())
            return [str(program), "--api-sock", self.socket, *self.options]

    def test_disks_are_where_they_were_asked_for(self):
        for flags, verdict in (((), "\nFAIL pci.found"), (("--enable-pci",), "\nPASS pci.noise_is_survived\nDONE")):
            with self.subTest(flags=flags), self.Called(*flags) as vm:
                vm.put_drive("data", make_disk(vm.folder / "data.img"))
                vm.boot("pci", "queues=2", vcpu_count=2, mem_size_mib=64)
                self.assertEqual(vm.end(), POWER_OFF)
                self.assertIn(verdict, "\n" + vm.output().replace("\r", ""))
