// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A server whose connections may become HTTP/2 or WebSocket by Upgrade, and a WebSocket client.
//
//	program server PORT
//	program websocket PORT MESSAGES   asks for /ws and sends each message when the one before it has come back
package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"golang.org/x/net/websocket"
)

// GET /bytes/N/...: N bytes; GET /status/N/...: that status.
func answer(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) < 3 {
		fmt.Fprintln(w, "hello")
		return
	}
	number, err := strconv.Atoi(parts[2])
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case parts[1] == "bytes":
		w.Write(bytes.Repeat([]byte("x"), number))
	default:
		w.WriteHeader(number)
	}
}

func echo(connection *websocket.Conn) {
	var message []byte
	for websocket.Message.Receive(connection, &message) == nil {
		websocket.Message.Send(connection, message)
	}
}

func serve(port string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/", answer)
	mux.Handle("/ws", websocket.Handler(echo))
	return http.ListenAndServe("127.0.0.1:"+port, h2c.NewHandler(mux, &http2.Server{}))
}

// What is sent begins, below the frame's mask, like the protocols that might be taken for it.
var beginnings = []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "hello"}

func talk(port string, messages int) error {
	at := "127.0.0.1:" + port
	connection, err := websocket.Dial("ws://"+at+"/ws", "", "http://"+at)
	if err != nil {
		return err
	}
	defer connection.Close()
	for i := 0; i < messages; i++ {
		sent := []byte(beginnings[i%len(beginnings)] + strings.Repeat("x", i%2000))
		var came []byte
		if err := websocket.Message.Send(connection, sent); err != nil {
			return err
		}
		if err := websocket.Message.Receive(connection, &came); err != nil {
			return err
		}
		if !bytes.Equal(sent, came) {
			return fmt.Errorf("message %d came back as another one", i)
		}
	}
	return nil
}

func main() {
	var err error
	if os.Args[1] == "server" {
		err = serve(os.Args[2])
	} else {
		messages, _ := strconv.Atoi(os.Args[3])
		err = talk(os.Args[2], messages)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
