// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// Asks a server, by its address and under a name, for a page over TLS.
package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
)

func main() {
	config := &tls.Config{ServerName: os.Args[2], InsecureSkipVerify: true}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	response, err := client.Get("https://" + os.Args[1] + "/")
	if err != nil {
		panic(err)
	}
	fmt.Println(response.StatusCode)
}
