// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// HTTPS by Go's own TLS: "serve ADDRESS CERTIFICATE KEY", or "get ADDRESS NAME VERSION COUNT WORKERS", which asks for the
// pages /number/0 to /number/COUNT-1 in HTTP/1.1 or HTTP/2 and prints how many came.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

func serve(address, certificate, key string) {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.URL.Path) })
	panic(http.ListenAndServeTLS(address, certificate, key, nil))
}

func newClient(name, version string) http.Client {
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true}
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 1000}
	if version == "2" {
		transport.ForceAttemptHTTP2 = true
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

func get(address, name, version string, count, workers int) {
	client := newClient(name, version)
	major, _ := strconv.Atoi(version[:1])
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
		serve(os.Args[2], os.Args[3], os.Args[4])
	}
	count, _ := strconv.Atoi(os.Args[5])
	workers, _ := strconv.Atoi(os.Args[6])
	get(os.Args[2], os.Args[3], os.Args[4], count, workers)
}
