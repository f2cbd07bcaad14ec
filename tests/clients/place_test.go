// SPDX-License-Identifier: Apache-2.0

// Package clients drives Mote by programs that were written for Firecracker. Nothing of them is changed but the path to the program.
package clients

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const patience = 60 * time.Second

// place is a folder of a test, in which Mote is called firecracker.
type place struct {
	*testing.T
	folder      string
	firecracker string
}

func newPlace(t *testing.T) place {
	// Not t.TempDir, whose paths are too long for sockets.
	folder, err := os.MkdirTemp("", "mote-go-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	p := place{t, folder, filepath.Join(folder, "firecracker")}
	mote, err := filepath.Abs(setting(t, "MOTE"))
	p.check(err)
	p.check(os.Symlink(mote, p.firecracker))
	return p
}

// setting is a path that the environment has to name: MOTE, MOTE_JAILER or GUESTS.
func setting(t *testing.T, name string) string {
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set", name)
	}
	return value
}

func (p place) check(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p place) path(name string) string {
	return filepath.Join(p.folder, name)
}

// copy makes a file of its own of another, for who links files or runs them elsewhere.
func (p place) copy(from, to string, mode os.FileMode) string {
	data, err := os.ReadFile(from)
	p.check(err)
	p.check(os.WriteFile(to, data, mode))
	return to
}

func (p place) guest(name string) string {
	return filepath.Join(setting(p.T, "GUESTS"), name+".elf")
}

// jails is a folder for jails. Their program is the file firecracker itself, for the jailer follows links.
func (p place) jails() string {
	path := p.path("jails")
	if err := os.Mkdir(path, 0o755); os.IsExist(err) {
		return path
	}
	p.check(os.Remove(p.firecracker))
	p.copy(setting(p.T, "MOTE"), p.firecracker, 0o755)
	return path
}

// disk makes a sparse image that anybody may write to.
func (p place) disk(name string, size int64) string {
	path := p.path(name)
	file, err := os.Create(path)
	p.check(err)
	p.check(file.Truncate(size))
	p.check(file.Chmod(0o666))
	p.check(file.Close())
	return path
}

func (p place) needRoot() {
	if os.Geteuid() != 0 {
		p.Skip("jails and taps take root")
	}
}

// waitFor looks again and again whether something has become true.
func (p place) waitFor(what string, condition func() bool) {
	p.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// text collects what a guest says. Any goroutine.
type text struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

var _ io.Writer = &text{}

func (t *text) Write(data []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.buffer.Write(data)
}

// logLine is what the log, which shares standard output with the guest, may say in the middle of the guest's word.
var logLine = regexp.MustCompile(`\d{4}-\d\d-\d\dT[^\n]*\n`)

func (t *text) has(part string) bool {
	said := t.String()
	return strings.Contains(said, part) || strings.Contains(logLine.ReplaceAllString(said, ""), part)
}

func (t *text) String() string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.buffer.String()
}

func (p place) waitForText(from *text, part string) {
	p.Helper()
	p.waitFor("'"+part+"' in "+from.String(), func() bool { return from.has(part) })
}
