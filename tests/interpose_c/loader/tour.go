// Goroutines with small stacks, many threads, preemption signals, children, a caught nil dereference.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	var wait sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for i := 0; i < 3000; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			file, err := os.Open("/etc/passwd")
			if err != nil {
				panic(err)
			}
			bytes := make([]byte, 100)
			io.ReadFull(file, bytes)
			file.Close()
			lock.Lock()
			total += i
			lock.Unlock()
			runtime.Gosched()
		}(i)
	}
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go func() { // never yields: needs preemption
			defer wait.Done()
			x := 0
			for j := 0; j < 200000000; j++ {
				x += j
			}
			lock.Lock()
			total += x & 1
			lock.Unlock()
		}()
	}
	wait.Wait()
	fmt.Println(total)
	output, err := exec.Command("sh", "-c", "echo child; exit 3").Output()
	fmt.Printf("%q %v\n", output, err)
	func() {
		defer func() { fmt.Println(recover() != nil) }()
		var nowhere *int
		*nowhere = 1
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	time.Sleep(10 * time.Millisecond)
	_, err = os.Stat("/no/such")
	fmt.Println(err)
}
