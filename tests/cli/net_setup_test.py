# SPDX-License-Identifier: Apache-2.0
"""rootfs-tools/net-setup in networks of the test's own: what it makes, undoes, removes and leaves alone. Needs root; the
host's network is not touched."""

import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NET_SETUP = ROOT / "rootfs-tools" / "net-setup"


def run(*words, **options):
    return subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, **options)


def obstacle():
    """Why network namespaces cannot be used here, or None."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    for program in ("ip", "nft", "iptables", "unshare", "nsenter"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    tried = run("unshare", "-n", "ip", "tuntap", "add", "dev", "t0", "mode", "tap")
    return None if tried.returncode == 0 else f"no tap in a network namespace: {tried.stderr.strip()}"


OBSTACLE = obstacle()


class Network:
    """A network namespace: lives as long as a process that sleeps in it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 300"], stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self("ip link set lo up")
        # Its tables are there from the first use on.
        self("for t in filter nat; do iptables -t $t -A OUTPUT -j ACCEPT; iptables -t $t -D OUTPUT 1; "
             "iptables -t $t -P OUTPUT ACCEPT; done; iptables -A FORWARD -j ACCEPT; iptables -D FORWARD 1; "
             "iptables -t nat -A POSTROUTING -j ACCEPT; iptables -t nat -D POSTROUTING 1")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def words(self, command):
        return ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", "--", *command]

    def run(self, *words, **options):
        return run(*self.words(words), **options)

    def __call__(self, script):
        """The output of a shell script that has to succeed."""
        done = self.run("sh", "-ec", script)
        if done.returncode != 0:
            raise AssertionError(f"{script}: {done.stderr}")
        return done.stdout

    def connect(self, name, other, other_name):
        self(f"ip link add {name} type veth peer name {other_name} netns {other.process.pid}")

    def state(self):
        """All that net-setup could have changed."""
        return self("ip -o link show | sed 's/ mtu.*//; s/,LOWER_UP\\|NO-CARRIER,//'; ip -o -4 addr; ip -4 route | sed 's/ linkdown//'; nft list ruleset; "
                    "iptables -S; iptables -t nat -S; cat /proc/sys/net/ipv4/ip_forward")


@unittest.skipIf(OBSTACLE, OBSTACLE)
class NetSetup(unittest.TestCase):
    def setUp(self):
        self.network = self.new_network()

    def new_network(self):
        network = Network()
        self.addCleanup(network.close)
        return network

    def setup(self, *words, **options):
        return self.network.run(NET_SETUP, *words, **options)

    def up(self, *words, **options):
        done = self.setup("up", *words, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def down(self, *words, **options):
        done = self.setup("down", *words, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def expect_error(self, done, code, message):
        self.assertIn(f"net-setup: {message}", done.stderr)
        self.assertEqual(done.returncode, code)

    def without(self, *programs):
        """An environment in which some programs cannot be found."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for place in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"):
            for name in os.listdir(place) if os.path.isdir(place) else []:
                link = os.path.join(folder.name, name)
                if name not in programs and not os.path.lexists(link):
                    os.symlink(os.path.join(place, name), link)
        return {**os.environ, "PATH": folder.name}

    def details(self, name):
        return self.network(f"ip -o -d link show dev {name}")

    # What it makes and removes -----------------------------------------------------------------

    def test_up_makes_a_tap_on_a_bridge(self):
        output = self.up()
        self.assertIn("Ready: mote run ... --net tap0\n", output)
        self.assertIn("ip=10.77.0.2::10.77.0.1:255.255.255.0::eth0:off", output)
        tap = self.details("tap0")
        for word in ("tun type tap", "persist on", "user root", "master mote0", ",UP"):
            self.assertIn(word, tap)
        self.assertNotIn("multi_queue", tap)
        self.assertIn("10.77.0.1/24", self.network("ip -o -4 addr show dev mote0"))

    def test_down_leaves_what_was_there_before(self):
        self.network("ip link add other type bridge; ip tuntap add dev theirs mode tap; nft add table ip theirs; "
                     "iptables -A FORWARD -i theirs -j DROP; ip addr add 192.0.2.1/24 dev other; ip link set other up")
        before = self.network.state()
        self.up("--queues", "4")
        self.up("--tap", "tap1")
        self.assertNotEqual(self.network.state(), before)
        self.down()
        self.assertEqual(self.network.state(), before)
        self.assertEqual(self.down(), "There is nothing that net-setup has made.\n")

    def test_every_change_is_printed_as_a_command_that_can_be_typed(self):
        output = self.up("--queues", "2", "--mtu", "9000")
        commands = [line for line in output.splitlines() if line.startswith("  ")]
        after = self.network.state()
        other = self.new_network()
        for command in commands:
            other(command)
        self.assertEqual(other.state(), after)

    def test_up_twice_changes_nothing_the_second_time(self):
        self.up("--queues", "2")
        before = self.network.state()
        self.assertEqual([line for line in self.up("--queues", "2").splitlines() if line.startswith("  ")], [])
        self.assertEqual(self.network.state(), before)

    def test_down_of_one_tap_leaves_the_others(self):
        self.up()
        before = self.network.state()
        self.up("--tap", "tap1", "--queues", "8")
        self.down("--tap", "tap1")
        self.assertEqual(self.network.state().replace("\n2:", ""), before.replace("\n2:", ""))
        self.assertEqual(self.down("--tap", "tap1"), "There is no tap 'tap1'.\n")

    def test_options_of_the_tap(self):
        self.up("--tap", "vm-web", "--bridge", "vms", "--owner", "nobody", "--queues", "4", "--mtu", "9000")
        tap = self.details("vm-web")
        for word in ("multi_queue", "user nobody", "master vms", "mtu 9000"):
            self.assertIn(word, tap)
        self.assertIn("mtu 9000", self.details("vms"))

    def test_the_owner_is_who_called_sudo(self):
        self.up(env={**os.environ, "SUDO_USER": "nobody"})
        self.assertIn("user nobody", self.details("tap0"))

    def test_the_owner_may_be_a_number(self):
        for owner, shown in (("4711", "user 4711"), (str(pwd.getpwnam("nobody").pw_uid), "user nobody")):
            self.up("--owner", owner)
            self.assertIn(shown, self.details("tap0"))
            self.up("--owner", owner)
            self.down()

    def test_subnets(self):
        for subnet, address, word in (("192.168.7.0/24", "192.168.7.1/24", "ip=192.168.7.2::192.168.7.1:255.255.255.0"),
                                      ("192.168.7.9/24", "192.168.7.9/24", "ip=192.168.7.1::192.168.7.9:255.255.255.0"),
                                      ("172.16.0.0/12", "172.16.0.1/12", "ip=172.16.0.2::172.16.0.1:255.240.0.0"),
                                      ("10.1.2.248/29", "10.1.2.249/29", "ip=10.1.2.250::10.1.2.249:255.255.255.248")):
            with self.subTest(subnet):
                self.assertIn(word, self.up("--subnet", subnet))
                self.assertIn(f" {address} ", self.network("ip -o -4 addr show dev mote0"))
                self.down()

    def test_status(self):
        self.assertEqual(self.setup("status").stdout,
                         "There is nothing that net-setup has made.\nThe host does not forward packets.\n")
        self.up()
        self.up("--tap", "tap1", "--queues", "2")
        self.assertEqual(self.setup("status").stdout,
                         "bridge mote0: 10.77.0.1/24\n"
                         "tap tap0: user root, on mote0, one queue, free\n"
                         "tap tap1: user root, on mote0, several queues, free\n"
                         "NAT by nft, table ip mote_net_setup_mote0\n"
                         "The host forwards packets.\n")

    def test_a_bridge_of_somebody_else_is_used_as_it_is(self):
        self.network("ip link add lan type bridge; ip link set lan up")
        before = self.network.state()
        output = self.up("--bridge", "lan")
        self.assertIn("Bridge 'lan' is used as it is.\n", output)
        self.assertIn("master lan", self.details("tap0"))
        self.assertNotIn("10.77.0.1", self.network("ip -o -4 addr"))
        self.down()
        self.assertEqual(self.network.state(), before)

    def test_without_nat_the_host_does_not_forward(self):
        self.up("--no-nat")
        self.assertEqual(self.network("nft list ruleset | grep -c mote || true"), "0\n")
        self.assertEqual(self.network("cat /proc/sys/net/ipv4/ip_forward"), "0\n")
        self.up()
        self.assertIn("masquerade", self.network("nft list ruleset"))

    def test_forwarding_that_was_on_stays_on(self):
        self.network("echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.up()
        self.down()
        self.assertEqual(self.network("cat /proc/sys/net/ipv4/ip_forward"), "1\n")

    # Packets -----------------------------------------------------------------------------------

    def packets_pass(self, **options):
        """A guest's place on the bridge reaches the world behind the host, which sees the host's address."""
        guest, world = self.new_network(), self.new_network()
        self.network.connect("uplink", world, "eth0")
        self.network("ip addr add 198.51.100.1/24 dev uplink; ip link set uplink up")
        world("ip addr add 198.51.100.2/24 dev eth0; ip link set eth0 up")
        self.up(**options)
        self.network.connect("port", guest, "eth0")
        self.network("ip link set port master mote0; ip link set port up")
        guest("ip addr add 10.77.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.77.0.1")
        server = subprocess.Popen(world.words([sys.executable, "-c", "import socket\n"
                                               "s = socket.create_server(('198.51.100.2', 7000)); s.settimeout(20)\n"
                                               "print(flush=True); c, who = s.accept(); c.sendall(who[0].encode())"]),
                                  stdout=subprocess.PIPE)
        try:
            server.stdout.readline()
            client = guest.run(sys.executable, "-c", "import socket\n"
                               "c = socket.create_connection(('198.51.100.2', 7000), 10); print(c.recv(100).decode())")
        finally:
            server.kill()
            server.wait()
            server.stdout.close()
        self.assertEqual(client.stdout, "198.51.100.1\n", client.stderr)

    def test_guests_reach_the_world_by_nft(self):
        self.packets_pass()
        self.assertIn("masquerade", self.network("nft list ruleset"))

    def test_guests_reach_the_world_by_iptables(self):
        environment = self.without("nft")
        before = self.network.state()
        self.packets_pass(env=environment)
        self.assertIn("MASQUERADE", self.network("iptables -t nat -S"))
        self.network("ip link del uplink; ip link del port")
        self.down(env=environment)
        self.assertEqual(self.network.state(), before)

    def test_guests_get_through_a_firewall_that_forwards_nothing(self):
        self.network("iptables -P FORWARD DROP")
        before = self.network.state()
        self.packets_pass()
        self.network("ip link del uplink; ip link del port")
        self.down()
        self.assertEqual(self.network.state(), before)

    # What it refuses ---------------------------------------------------------------------------

    def test_a_failure_is_undone(self):
        before = self.network.state()
        for broken in ("tuntap add", "set tap0 up", "addr add", "set mote0 up"):
            with self.subTest(broken), tempfile.TemporaryDirectory() as folder:
                fake = pathlib.Path(folder) / "ip"
                fake.write_text(f"#!/bin/sh\ncase \"$*\" in *'{broken}'*) echo no luck >&2; exit 1 ;; esac\n"
                                f"exec {shutil.which('ip')} \"$@\"\n")
                fake.chmod(0o755)
                done = self.setup("up", env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
                self.expect_error(done, 1, "cannot run 'ip ")
                self.assertIn(": no luck\n", done.stderr)
                self.assertEqual(self.network.state(), before)

    def test_without_any_firewall_program(self):
        before = self.network.state()
        done = self.setup("up", env=self.without("nft", "iptables"))
        self.expect_error(done, 1, "cannot make NAT: there is neither nft nor iptables -- apt-get install nftables, or pass --no-nat")
        self.assertEqual(self.network.state(), before)

    def test_names_that_are_taken(self):
        self.network("ip tuntap add dev tap0 mode tap; ip link add eth7 type veth peer name eth8")
        before = self.network.state()
        self.expect_error(self.setup("up"), 1, "cannot make tap 'tap0': there is an interface of that name, which net-setup has "
                          "not made -- choose another name: --tap NAME")
        self.expect_error(self.setup("up", "--bridge", "eth7"), 1, "cannot use 'eth7' as a bridge: it is an interface of another "
                          "kind -- choose another name: --bridge NAME")
        self.expect_error(self.setup("down", "--tap", "tap0"), 1, "cannot remove 'tap0': net-setup has not made it")
        self.assertEqual(self.network.state(), before)

    def test_networks_that_are_taken(self):
        self.network("ip link add eth7 type veth peer name eth8; ip link set eth7 up; ip link set eth8 up; ip addr add 10.77.0.9/16 dev eth7")
        done = self.setup("up")
        self.expect_error(done, 1, "cannot give bridge 'mote0' the network 10.77.0.0/24: the host has a route there already "
                          "(10.77.0.0/16) -- choose another: --subnet 10.")
        self.up("--subnet", "10.78.0.0/24")

    def test_what_is_there_is_not_changed_by_other_options(self):
        self.up()
        before = self.network.state()
        for words, message in ((("--queues", "2"), "cannot give tap 'tap0' 2 queue pairs: it is there, with one -- remove it first: "
                                "net-setup down --tap tap0"),
                               (("--owner", "nobody"), "cannot give tap 'tap0' to 'nobody': it is there, and somebody else's"),
                               (("--subnet", "10.9.0.1/24"), "cannot give bridge 'mote0' the address 10.9.0.1/24: it has 10.77.0.1/24"),
                               (("--bridge", "mote1", "--subnet", "10.9.0.1/24"), "cannot connect tap 'tap0' to 'mote1'")):
            self.expect_error(self.setup("up", *words), 1, message)
            self.assertEqual(self.network.state(), before)

    def test_usage(self):
        before = self.network.state()
        for words, message in (((), "no command given -- 'net-setup --help' lists the options"),
                               (("upp",), "unknown command 'upp'"),
                               (("up", "--tpa", "x"), "unknown option '--tpa'"),
                               (("up", "--tap"), "option '--tap' needs an argument"),
                               (("up", "--tap", "1234567890123456"), "--tap: '1234567890123456' is too long for a network "
                                "interface: 16 bytes, and the kernel takes 15 -- choose a shorter name"),
                               (("up", "--tap", "a/b"), "--tap: 'a/b' is no name of a network interface"),
                               (("up", "--tap", "x", "--bridge", "x"), "'x' cannot be both tap and bridge"),
                               (("up", "--queues", "9"), "--queues: '9' is out of range -- choose 1 to 8"),
                               (("up", "--mtu", "67"), "--mtu: '67' is out of range -- choose 68 to 65521"),
                               (("up", "--owner", "no-such-user"), "--owner: there is no user 'no-such-user'"),
                               (("up", "--subnet", "10.0.0.1"), "--subnet: '10.0.0.1' is no network"),
                               (("up", "--subnet", "10.0.0.256/24"), "--subnet: '10.0.0.256/24' is no network"),
                               (("up", "--subnet", "10.0.0.1/30"), "--subnet: '10.0.0.1/30' has 30 bits"),
                               (("up", "--subnet", "10.0.0.255/24"), "--subnet: '10.0.0.255/24' is the network's broadcast address"),
                               (("down", "tap0"), "'tap0' is no option of down"),
                               (("status", "-v"), "'-v' is no option of status")):
            with self.subTest(words):
                self.expect_error(self.setup(*words), 2, message)
        self.assertEqual(self.network.state(), before)
        self.assertTrue(self.setup("--help").stdout.startswith("Usage: net-setup up "))

    def test_without_root(self):
        done = self.network.run("setpriv", "--reuid", "nobody", "--clear-groups", NET_SETUP, "up")
        self.expect_error(done, 1, "cannot change the host's network: this is not root -- sudo ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
