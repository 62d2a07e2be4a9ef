// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// The client of tests/e2e/servers/kafka/README.md.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// What each library does here; options are those of the command line.
type library struct {
	produce func(what job) int
	consume func(what job) int
}

type job struct {
	address, topic string
	count          int
	partition      int // -1: as the library chooses
	apart          bool
	fetch          int         // bytes of a partition that a fetch may bring
	tls            *tls.Config // nil: in the clear
}

func (what job) text(number int) []byte { return []byte(fmt.Sprintf("message %d", number)) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

func trusting(file string) *tls.Config {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	check(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		panic("no certificate in " + file)
	}
	return &tls.Config{RootCAs: pool}
}

func main() {
	if os.Args[1] == "wait" {
		time.Sleep(time.Hour)
	}
	options := map[string]string{"partition": "-1", "fetch": "8192"}
	for _, option := range os.Args[6:] {
		name, value, _ := strings.Cut(option, "=")
		options[name] = value
	}
	count, err := strconv.Atoi(os.Args[5])
	check(err)
	partition, err := strconv.Atoi(options["partition"])
	check(err)
	fetch, err := strconv.Atoi(options["fetch"])
	check(err)
	what := job{os.Args[3], os.Args[4], count, partition, options["apart"] != "", fetch, trusting(options["tls"])}
	lib := map[string]library{"franz": franz, "segmentio": segmentio}[os.Args[1]]
	act := map[string]func(job) int{"produce": lib.produce, "consume": lib.consume}[os.Args[2]]
	fmt.Println(act(what))
}
