// SPDX-License-Identifier: Apache-2.0
package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What Kata Containers' two runtimes do, but for the vsock, which Mote does not have.

const (
	kataDrives = 8
	kataWords  = "pci=off acpi=off reboot=k panic=1 iommu=off net.ifnames=0 random.trust_cpu=on i8042.noaux=1 ro root=/dev/vda1"
)

type object = map[string]any

// api is a client of one socket.
type api struct {
	place
	client http.Client
}

func (p place) api(socket string) api {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return api{p, http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: patience}}
}

// ask is the status of the answer and its body, or 0 when there is none.
func (a api) ask(method, path string, body object) (int, object) {
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		a.check(err)
	}
	request, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader(text))
	a.check(err)
	response, err := a.client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	var answer object
	json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer
}

// insist asks until it is done, as runtime-rs does: each request up to 500 times, at intervals of 10 ms.
func (a api) insist(method, path string, body object) {
	a.Helper()
	var status int
	var answer object
	for try := 0; try < 500; try++ {
		if status, answer = a.ask(method, path, body); status/100 == 2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	a.Fatalf("%s %s: %d %v", method, path, status, answer)
}

func (a api) isRunning() bool {
	status, answer := a.ask("GET", "/", nil)
	return status == 200 && answer["state"] == "Running"
}

// placeholders makes the drives without content that containers get later, and describes them.
func (p place) placeholders(seen string) []object {
	drives := []object{}
	for i := 0; i < kataDrives; i++ {
		name := fmt.Sprintf("drive_%d", i)
		p.disk(name, 0)
		drives = append(drives, object{"drive_id": name, "path_on_host": filepath.Join(seen, name), "is_root_device": false, "is_read_only": false})
	}
	return drives
}

// kataConfig is the file that the runtime writes; `seen` is where the VM finds the files.
func (p place) kataConfig(kernel, seen string) string {
	p.disk("rootfs", mib)
	drives := append(p.placeholders(seen), object{"drive_id": "rootfs", "path_on_host": filepath.Join(seen, "rootfs"), "is_root_device": true, "is_read_only": true})
	text, err := json.Marshal(object{
		"boot-source":        object{"kernel_image_path": kernel, "boot_args": kataWords},
		"machine-config":     object{"vcpu_count": 1, "mem_size_mib": 128, "smt": false},
		"drives":             drives,
		"network-interfaces": []object{},
		"logger":             object{"log_path": filepath.Join(seen, "logs.fifo"), "level": "Debug"},
		"metrics":            object{"metrics_path": filepath.Join(seen, "metrics.fifo")},
	})
	p.check(err)
	for _, name := range []string{"logs.fifo", "metrics.fifo"} {
		p.check(syscall.Mkfifo(p.path(name), 0o666))
		p.check(os.Chmod(p.path(name), 0o666))
	}
	path := p.path("fcConfig.json")
	p.check(os.WriteFile(path, text, 0o644))
	return path
}

// follow reads a FIFO into a text, from before somebody writes.
func (p place) follow(name string) *text {
	file, err := os.OpenFile(p.path(name), os.O_RDWR, 0)
	p.check(err)
	p.Cleanup(func() { file.Close() })
	var read text
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			size, err := file.Read(buffer)
			if err != nil {
				return
			}
			read.Write(buffer[:size])
		}
	}()
	return &read
}

func (p place) expectJsonLines(lines *text) {
	p.Helper()
	p.waitForText(lines, "\n")
	complete := lines.String()
	for _, line := range strings.Split(complete[:strings.LastIndex(complete, "\n")], "\n") {
		if !json.Valid([]byte(line)) {
			p.Errorf("metrics: %q is no JSON", line)
		}
	}
}

func TestKataReadsTheVersion(t *testing.T) {
	p := newPlace(t)
	output, err := exec.Command(p.firecracker, "--version").Output()
	p.check(err)
	words := strings.Split(strings.Split(string(output), "\n")[0], " ")
	if len(words) < 2 {
		t.Fatalf("%q has no second word", output)
	}
	version := strings.TrimPrefix(words[1], "v")
	strict := regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`).FindStringSubmatch(version)
	if strict == nil {
		t.Fatalf("%q is no version", version)
	}
	major, _ := strconv.Atoi(strict[1])
	minor, _ := strconv.Atoi(strict[2])
	if major*1000+minor < 21 {
		t.Errorf("%s is older than 0.21.1", version)
	}
}

func TestKataConfigFile(t *testing.T) {
	p := newPlace(t)
	config := p.kataConfig(p.guest("halt_forever"), p.folder)
	metrics := p.follow("metrics.fifo")
	logs := p.follow("logs.fifo")
	var output text
	command := exec.Command(p.firecracker, "--api-sock", p.path("api.sock"), "--config-file", config)
	command.Stdout, command.Stderr = &output, &output
	p.check(command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	defer command.Process.Kill()

	vm := p.api(p.path("api.sock"))
	began := time.Now()
	p.waitFor("Running: "+output.String(), vm.isRunning)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Running after %v", took)
	}
	p.waitForText(&output, "idle")
	vm.insist("PATCH", "/drives/drive_3", object{"drive_id": "drive_3", "path_on_host": p.disk("container", 2*mib)})
	p.expectJsonLines(metrics)
	p.waitForText(logs, "The API server received a Patch request on")
	p.check(command.Process.Signal(syscall.SIGTERM))
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		t.Error("SIGTERM does not end it")
	}
}

// jail is a call of the jailer in which the program is called firecracker, and the jail's root directory.
func (p place) jail(words ...string) (*exec.Cmd, string) {
	p.needRoot()
	root := filepath.Join(p.jails(), "firecracker/kata-1/root")
	p.check(os.MkdirAll(root, 0o755))
	fixed := []string{"--id", "kata-1", "--exec-file", p.firecracker, "--uid", "0", "--gid", "0", "--chroot-base-dir", p.jails()}
	return exec.Command(setting(p.T, "MOTE_JAILER"), append(fixed, words...)...), root
}

func TestKataJailedByAConfigFile(t *testing.T) {
	p := newPlace(t)
	command, root := p.jail("--daemonize", "--", "--config-file", "/fcConfig.json")
	kernel := p.copy(p.guest("halt_forever"), p.path("vmlinux"), 0o644)
	p.kataConfig("/vmlinux", "/")
	files, err := os.ReadDir(p.folder)
	p.check(err)
	for _, file := range files {
		if !file.IsDir() && file.Name() != "firecracker" {
			p.check(os.Link(p.path(file.Name()), filepath.Join(root, file.Name())))
		}
	}
	p.check(os.Remove(kernel))
	metrics := p.follow("metrics.fifo")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	vm := p.api(filepath.Join(root, "run/firecracker.socket"))
	p.waitFor("Running", vm.isRunning)
	number, err := os.ReadFile(filepath.Join(root, "firecracker.pid"))
	p.check(err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(number)))
	p.check(err)
	defer syscall.Kill(pid, syscall.SIGKILL)
	p.check(os.Link(p.disk("container", 2*mib), filepath.Join(root, "container")))
	vm.insist("PATCH", "/drives/drive_0", object{"drive_id": "drive_0", "path_on_host": "/container"})
	p.expectJsonLines(metrics)
	p.check(syscall.Kill(pid, syscall.SIGTERM))
	p.waitFor("the end", func() bool { return ended(pid) })
}

// ended tells of a process that is nobody's child here.
func ended(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(status), ") Z ")
}

func TestKataRuntimeRs(t *testing.T) {
	p := newPlace(t)
	command, root := p.jail("--", "--api-sock", "/run//fc.sock", "--no-seccomp")
	var output text
	command.Stdout, command.Stderr = &output, &output
	p.copy(p.guest("halt_forever"), filepath.Join(root, "vmlinux"), 0o644)
	p.check(os.Link(p.disk("rootfs", mib), filepath.Join(root, "rootfs")))
	for i := 1; i <= 5; i++ {
		name := fmt.Sprintf("drive%d", i)
		p.check(os.Link(p.disk(name, 0), filepath.Join(root, name)))
	}
	vm := p.api(filepath.Join(root, "run/fc.sock"))
	if status, _ := vm.ask("GET", "/", nil); status != 0 {
		t.Fatalf("status %d of a VM that is not there", status)
	}
	p.check(command.Start())
	defer command.Wait()
	defer command.Process.Kill()

	vm.insist("PUT", "/boot-source", object{"kernel_image_path": "/vmlinux", "boot_args": kataWords})
	vm.insist("PUT", "/machine-config", object{"vcpu_count": 1, "mem_size_mib": 128})
	vm.insist("PUT", "/drives/rootfs", object{"drive_id": "rootfs", "path_on_host": "/rootfs", "is_root_device": true, "is_read_only": true})
	for i := 1; i <= 5; i++ {
		name := fmt.Sprintf("drive%d", i)
		vm.insist("PUT", "/drives/"+name, object{"drive_id": name, "path_on_host": "/" + name, "is_root_device": false, "is_read_only": false})
	}
	vm.insist("PUT", "/network-interfaces/eth0", object{"iface_id": "eth0", "host_dev_name": "motekata0", "guest_mac": nil, "rx_rate_limiter": object{}, "tx_rate_limiter": nil})
	vm.insist("PUT", "/actions", object{"action_type": "InstanceStart"})
	p.waitForText(&output, "idle")
	p.check(os.Link(p.disk("container", 2*mib), filepath.Join(root, "container")))
	vm.insist("PATCH", "/drives/drive2", object{"drive_id": "drive2", "path_on_host": "/container", "rate_limiter": nil})
}
