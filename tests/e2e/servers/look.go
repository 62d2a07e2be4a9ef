package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"
)

// look NAME: by Go's own resolver, without the C library.
func main() {
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	found, err := (&net.Resolver{PreferGo: true}).LookupHost(limit, os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(found)
}
