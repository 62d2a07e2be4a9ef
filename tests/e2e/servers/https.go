// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// HTTPS by Go's own TLS: "serve ADDRESS CERTIFICATE KEY", or "get ADDRESS NAME VERSION COUNT WORKERS", which asks for the
// pages /number/0 to /number/COUNT-1 in HTTP/1.1 or HTTP/2 and prints how many came. "VERSION" stack: in HTTP/1.1, each read
// by a goroutine of its own into its stack, which moves meanwhile; prints how many did, too. "nested", behind the key and as
// "VERSION": TLS inside of TLS. "handshake": no page, one connection after the other. "strict": certificates are verified.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"
)

func serve(address, certificate, key string, nested bool) {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.URL.Path) })
	if !nested {
		panic(http.ListenAndServeTLS(address, certificate, key, nil))
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		panic(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	listener, err := tls.Listen("tcp", address, config)
	if err != nil {
		panic(err)
	}
	panic(http.Serve(tls.NewListener(listener, config), nil))
}

func newClient(name, version string) http.Client {
	config := &tls.Config{ServerName: name, InsecureSkipVerify: version != "strict"}
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 1000}
	if version == "2" {
		transport.ForceAttemptHTTP2 = true
	} else if version == "nested" {
		transport.DialTLS = func(network, address string) (net.Conn, error) {
			outer, err := tls.Dial(network, address, config)
			return tls.Client(outer, config), err
		}
	} else {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	return http.Client{Transport: transport}
}

// ask tells whether a page came, with what it should say.
func ask(client *http.Client, address, path string, major int) bool {
	response, err := client.Get("https://" + address + path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return err == nil && string(body) == path+"\n" && response.ProtoMajor == major
}

// readOnStack leaves no room on a new stack for what Read calls.
//
//go:noinline
func readOnStack(conn *tls.Conn) (length int, moved bool) {
	var page [2800]byte
	before := uintptr(unsafe.Pointer(&page))
	length, _ = conn.Read(page[:])
	return length, before != uintptr(unsafe.Pointer(&page))
}

func getOnStack(address, name string, count int) {
	came, moves := 0, 0
	for number := 0; number < count; number++ {
		conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(conn, "GET /number/%d HTTP/1.1\r\nHost: %s\r\n\r\n", number, name)
		done := make(chan bool)
		go func() {
			length, moved := readOnStack(conn)
			if length > 0 {
				came++
			}
			done <- moved
		}()
		if <-done {
			moves++
		}
		conn.Close()
	}
	fmt.Println(came, moves)
}

func shakeHands(address, name string, count int) {
	for number := 0; number < count; number++ {
		conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			panic(err)
		}
		conn.Close()
	}
	fmt.Println(count)
}

func get(address, name, version string, count, workers int) {
	client := newClient(name, version)
	major := 1
	if version == "2" {
		major = 2
	}
	var next, came atomic.Int64
	var group sync.WaitGroup
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for number := next.Add(1) - 1; number < int64(count); number = next.Add(1) - 1 {
				if ask(&client, address, fmt.Sprintf("/number/%d", number), major) {
					came.Add(1)
				}
			}
		}()
	}
	group.Wait()
	fmt.Println(came.Load())
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3], os.Args[4], len(os.Args) > 5)
	}
	count, _ := strconv.Atoi(os.Args[5])
	workers, _ := strconv.Atoi(os.Args[6])
	if os.Args[4] == "handshake" {
		shakeHands(os.Args[2], os.Args[3], count)
		return
	}
	if os.Args[4] == "stack" {
		getOnStack(os.Args[2], os.Args[3], count)
		return
	}
	get(os.Args[2], os.Args[3], os.Args[4], count, workers)
}
