// What Go programs do: goroutines, children, sockets, maps, signals, walks. Calls are Go's own, not libc's.
package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func goroutines() {
	var wait sync.WaitGroup
	sums := make([]string, 64)
	check(os.Mkdir("made", 0o755))
	for n := range sums {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			name := fmt.Sprintf("made/%02d", n)
			check(os.WriteFile(name, []byte(strings.Repeat(name, n*100)), 0o644))
			bytes, err := os.ReadFile(name)
			check(err)
			sums[n] = fmt.Sprintf("%x", sha256.Sum256(bytes))[:8]
		}(n)
	}
	wait.Wait()
	fmt.Println("goroutines", strings.Join(sums, ""))
}

func children() {
	out, err := exec.Command("sh", "-c", "echo child; cat small.txt; exit 3").CombinedOutput()
	fmt.Printf("child %q %v\n", out, err)
	_, err = exec.Command("./nowhere").Output()
	fmt.Println("missing", err)
	_, err = exec.LookPath("surely-not-there")
	fmt.Println("looked for", err)
	var wait sync.WaitGroup
	for n := 0; n < 8; n++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			check(exec.Command("/bin/true").Run())
		}()
	}
	wait.Wait()
	sort := exec.Command("sort", "-r")
	in, err := sort.StdinPipe()
	check(err)
	go func() {
		fmt.Fprint(in, "a\nc\nb\n")
		in.Close()
	}()
	out, err = sort.Output()
	fmt.Printf("sorted %q %v\n", out, err)
}

func sockets() {
	listener, err := net.Listen("unix", "socket")
	check(err)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(conn, conn)
		}
	}()
	conn, err := net.Dial("unix", "socket")
	check(err)
	fmt.Fprintln(conn, "over a socket")
	line, err := bufio.NewReader(conn).ReadString('\n')
	fmt.Printf("%q %v\n", line, err)
	conn.Close()
	check(listener.Close())
}

func maps() {
	file, err := os.OpenFile("big.bin", os.O_RDWR, 0)
	check(err)
	bytes, err := syscall.Mmap(int(file.Fd()), 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	check(err)
	fmt.Printf("mapped %x\n", sha256.Sum256(bytes))
	copy(bytes[70000:], "written through the map")
	check(syscall.Munmap(bytes))
	check(syscall.Flock(int(file.Fd()), syscall.LOCK_EX))
	check(file.Sync())
	check(file.Close())
}

func signals() {
	got := make(chan os.Signal, 4)
	signal.Notify(got, syscall.SIGUSR1, syscall.SIGHUP)
	for _, number := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP} {
		check(syscall.Kill(os.Getpid(), number))
		fmt.Println("signal", <-got)
	}
	defer func() { fmt.Println("recovered", recover()) }()
	var nothing *int
	*nothing = 1
}

func walk() {
	var names []string
	check(filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		info, err := entry.Info()
		check(err)
		if !entry.IsDir() && !strings.HasPrefix(path, "odd") {
			names = append(names, fmt.Sprintf("%s %v %d", path, info.Mode(), info.Size()))
		}
		return nil
	}))
	sort.Strings(names)
	fmt.Println(len(names), names)
}

func main() {
	exe, err := os.Executable()
	check(err)
	fmt.Println(exe, filepath.Base(os.Args[0]), strings.Join(os.Args[1:], "|"), withC())
	goroutines()
	children()
	sockets()
	maps()
	signals()
	walk()
	for n := 0; n < 20; n++ {
		runtime.GC()
	}
	check(os.Rename("made/01", "made/renamed"))
	check(os.RemoveAll("made"))
	os.Exit(7)
}
