// Goroutines that sleep, send and compute: the sum is always the same.
package main

import (
	"fmt"
	"sync"
	"time"
)

func main() {
	var all sync.WaitGroup
	sums := make(chan int, 10)
	for worker := 0; worker < 8; worker++ {
		all.Add(1)
		go func(worker int) {
			defer all.Done()
			for turn := 0; turn < 200; turn++ {
				sums <- worker * turn
				time.Sleep(5 * time.Millisecond)
			}
		}(worker)
	}
	go func() { all.Wait(); close(sums) }()
	total := 0
	for sum := range sums {
		total += sum
	}
	fmt.Println(total)
}
