// SPDX-License-Identifier: Apache-2.0
package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	firecracker "github.com/firecracker-microvm/firecracker-go-sdk"
	"github.com/firecracker-microvm/firecracker-go-sdk/client/models"
	"github.com/sirupsen/logrus"
)

const mib = 1 << 20

func quiet() firecracker.Opt {
	logger := logrus.New()
	logger.SetLevel(logrus.ErrorLevel)
	return firecracker.WithLogger(logrus.NewEntry(logger))
}

func (p place) config(guest string) firecracker.Config {
	return firecracker.Config{
		SocketPath:      p.path("api.sock"),
		VMID:            "vm-1",
		KernelImagePath: p.guest(guest),
		KernelArgs:      "console=ttyS0 reboot=k panic=1 pci=off",
		Drives:          firecracker.NewDrivesBuilder(p.disk("rootfs", mib)).AddDrive(p.disk("data", mib), false, firecracker.WithDriveID("data")).Build(),
		MachineCfg:      models.MachineConfiguration{VcpuCount: firecracker.Int64(2), MemSizeMib: firecracker.Int64(64), Smt: firecracker.Bool(false)},
	}
}

// start is a machine that runs, by the command that the SDK makes for itself.
func (p place) start(ctx context.Context, config firecracker.Config, output *text) *firecracker.Machine {
	p.Helper()
	var options []firecracker.Opt
	if config.JailerCfg == nil {
		builder := firecracker.VMCommandBuilder{}.WithBin(p.firecracker).WithSocketPath(config.SocketPath).WithStdout(output).WithStderr(output)
		options = append(options, firecracker.WithProcessRunner(builder.AddArgs("--id", config.VMID, "--no-seccomp").Build(ctx)))
	}
	machine, err := firecracker.NewMachine(ctx, config, append(options, quiet())...)
	p.check(err)
	if err := machine.Start(ctx); err != nil {
		p.Fatalf("%v: %s", err, output)
	}
	return machine
}

func (p place) state(ctx context.Context, machine *firecracker.Machine) string {
	p.Helper()
	info, err := machine.DescribeInstanceInfo(ctx)
	p.check(err)
	return *info.State
}

// drive does with a machine what the SDK can: pause, resume, another file, other limits.
func (p place) drive(ctx context.Context, machine *firecracker.Machine, otherFile string) {
	p.Helper()
	p.check(machine.PauseVM(ctx))
	if state := p.state(ctx, machine); state != "Paused" {
		p.Fatalf("state %s behind a pause", state)
	}
	p.check(machine.ResumeVM(ctx))
	if state := p.state(ctx, machine); state != "Running" {
		p.Fatalf("state %s behind a resume", state)
	}
	p.check(machine.UpdateGuestDrive(ctx, "data", otherFile))
	if err := machine.UpdateGuestDrive(ctx, "nothing", otherFile); err == nil || !strings.Contains(err.Error(), "nothing") {
		p.Fatalf("a drive that is not there: %v", err)
	}
}

func TestSdkMachine(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var output, logged text
	config := p.config("halt_forever")
	config.LogFifo, config.MetricsFifo, config.FifoLogWriter, config.LogLevel = p.path("log.fifo"), p.path("metrics.fifo"), &logged, "Debug"
	machine := p.start(ctx, config, &output)
	p.waitForText(&output, "idle")

	version, err := machine.GetFirecrackerVersion(ctx)
	p.check(err)
	if !strings.HasPrefix(version, "1.") {
		t.Errorf("version %s", version)
	}
	info, err := machine.DescribeInstanceInfo(ctx)
	p.check(err)
	if *info.ID != "vm-1" || *info.AppName != "Firecracker" {
		t.Errorf("%s is called %s", *info.AppName, *info.ID)
	}
	p.drive(ctx, machine, p.disk("other", 2*mib))
	if err := machine.CreateBalloon(ctx, 1, false, 0); err == nil || !strings.Contains(err.Error(), "balloon") {
		t.Errorf("a balloon: %v", err)
	}
	p.waitForText(&logged, "The API server received a Put request on")

	p.check(machine.StopVMM())
	if err := machine.Wait(ctx); err == nil {
		t.Error("a VM that was terminated ended well")
	}
	if _, err := os.Stat(config.SocketPath); !os.IsNotExist(err) {
		t.Errorf("the socket: %v", err)
	}
}

func TestSdkStopsAGuestByItsKeyboard(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var output text
	config := p.config("keyboard")
	config.KernelArgs = "wait=keys"
	machine := p.start(ctx, config, &output)
	p.waitForText(&output, "ready")
	p.check(machine.Shutdown(ctx))
	p.check(machine.Wait(ctx))
}

func TestSdkLimits(t *testing.T) {
	p := newPlace(t)
	p.needRoot()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bucket := firecracker.TokenBucketBuilder{}.WithBucketSize(mib).WithRefillDuration(time.Second).WithInitialSize(mib).Build()
	limiter := firecracker.NewRateLimiter(bucket, bucket)
	config := p.config("halt_forever")
	config.Drives[0].RateLimiter = limiter
	config.NetworkInterfaces = firecracker.NetworkInterfaces{{
		StaticConfiguration: &firecracker.StaticNetworkConfiguration{HostDevName: "motego0", MacAddress: "02:00:5e:00:53:01"},
		InRateLimiter:       limiter,
		OutRateLimiter:      limiter,
	}}
	var output text
	machine := p.start(ctx, config, &output)
	p.waitForText(&output, "idle")
	p.check(machine.UpdateGuestNetworkInterfaceRateLimit(ctx, "1", firecracker.RateLimiterSet{InRateLimiter: limiter, OutRateLimiter: limiter}))
	p.check(machine.StopVMM())
	machine.Wait(ctx)
}

func TestSdkStartThatFails(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	config := p.config("hello")
	config.KernelImagePath = p.disk("nothing of a kernel", mib)
	var output text
	command := firecracker.VMCommandBuilder{}.WithBin(p.firecracker).WithSocketPath(config.SocketPath).WithStdout(&output).WithStderr(&output).Build(ctx)
	machine, err := firecracker.NewMachine(ctx, config, firecracker.WithProcessRunner(command), quiet())
	p.check(err)
	if err := machine.Start(ctx); err == nil || !strings.Contains(err.Error(), "Start microvm error") {
		t.Errorf("a kernel that is none: %v", err)
	}
	p.check(machine.StopVMM())
	machine.Wait(ctx)
}

func TestSdkJailed(t *testing.T) {
	p := newPlace(t)
	p.needRoot()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var output text
	config := p.config("halt_forever")
	// What is jailed is linked into the jail, which has to be on the same file system.
	config.KernelImagePath = p.copy(config.KernelImagePath, p.path("kernel"), 0o644)
	config.SocketPath = ""
	jails := p.jails()
	config.JailerCfg = &firecracker.JailerConfig{
		ID:             "vm-1",
		UID:            firecracker.Int(4321),
		GID:            firecracker.Int(4321),
		NumaNode:       firecracker.Int(1000), // none: which groups there are is the host's
		ExecFile:       p.firecracker,
		JailerBinary:   setting(t, "MOTE_JAILER"),
		ChrootBaseDir:  jails,
		ChrootStrategy: firecracker.NewNaiveChrootStrategy(config.KernelImagePath),
		Stdout:         &output,
		Stderr:         &output,
	}
	machine := p.start(ctx, config, &output)
	p.waitForText(&output, "idle")
	root := filepath.Join(jails, "firecracker/vm-1/root")
	p.check(os.Link(p.disk("other", mib), filepath.Join(root, "other")))
	p.drive(ctx, machine, "/other")
	p.check(machine.StopVMM())
	if err := machine.Wait(ctx); err == nil {
		t.Error("a VM that was terminated ended well")
	}
}

// TestFirectl does what firectl does: a command with no more than the socket, the SDK's steps, its own names and command line.
func TestFirectl(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var output text
	config := p.config("cmdline")
	config.VMID = ""
	config.KernelArgs = "ro console=ttyS0 noapic reboot=k panic=1 pci=off nomodules"
	config.MachineCfg = models.MachineConfiguration{VcpuCount: firecracker.Int64(1), MemSizeMib: firecracker.Int64(512), Smt: firecracker.Bool(true)}
	config.Drives = []models.Drive{
		{DriveID: firecracker.String("1"), PathOnHost: firecracker.String(p.disk("root", mib)), IsRootDevice: firecracker.Bool(true), IsReadOnly: firecracker.Bool(false)},
		{DriveID: firecracker.String("2"), PathOnHost: firecracker.String(p.disk("more", mib)), IsRootDevice: firecracker.Bool(false), IsReadOnly: firecracker.Bool(true)},
	}
	config.LogFifo, config.MetricsFifo = p.path("log.fifo"), p.path("metrics.fifo")
	command := exec.CommandContext(ctx, p.firecracker, "--api-sock", config.SocketPath)
	command.Stdout, command.Stderr = &output, &output
	machine, err := firecracker.NewMachine(ctx, config, firecracker.WithProcessRunner(command), quiet())
	p.check(err)
	p.check(machine.Start(ctx))
	p.check(machine.Wait(ctx))
	for _, word := range []string{"ro", "console=ttyS0", "noapic", "nomodules", "root=/dev/vda"} {
		if !output.has("word " + word + "\n") {
			t.Errorf("no word '%s' in %s", word, &output)
		}
	}
	if strings.Count(logLine.ReplaceAllString(output.String(), ""), "device base ") != 2 {
		t.Errorf("not two disks in %s", &output)
	}
}
