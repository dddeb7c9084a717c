// Goroutines that read, hash and write; a Go program is static and makes its system calls itself.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
)

func main() {
	var wait sync.WaitGroup
	sums := make([]string, 8)
	for i := range sums {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			data, err := os.ReadFile("big.bin")
			if err != nil {
				panic(err)
			}
			sums[i] = fmt.Sprintf("%x", sha256.Sum256(data[i*1000:]))
			if err := os.WriteFile(fmt.Sprintf("out%d", i), []byte(sums[i]), 0644); err != nil {
				panic(err)
			}
		}(i)
	}
	wait.Wait()
	entries, _ := os.ReadDir("dir")
	fmt.Println(sums[7], len(entries))
	os.Exit(9)
}
