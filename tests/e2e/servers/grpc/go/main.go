// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// echo server PORT [CERTIFICATE KEY] | client PORT [CERTIFICATE]: ../README.md. Messages are bytes, so there is no generated code.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
)

const mostBytes = 64 << 20

type raw struct{}

func (raw) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }
func (raw) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(data []byte) int {
	value, err := strconv.Atoi(string(data))
	must(err)
	return value
}

// One handler for all methods: what of them is unary is only the caller's affair.
func handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	name := strings.TrimPrefix(method, "/test.Echo/")
	send := func(data []byte) error { return stream.SendMsg(&data) }
	if name == "Sum" || name == "Chat" {
		sum := 0
		for {
			var data []byte
			if err := stream.RecvMsg(&data); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
			sum += len(data)
			if name == "Chat" {
				if err := send(data); err != nil {
					return err
				}
			}
		}
		if name == "Sum" {
			return send([]byte(strconv.Itoa(sum)))
		}
		return nil
	}
	var data []byte
	if err := stream.RecvMsg(&data); err != nil {
		return err
	}
	switch name {
	case "Say":
		return send(data)
	case "Slow":
		select {
		case <-time.After(time.Duration(number(data)) * time.Millisecond):
			return send(nil)
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	case "Fail":
		return status.Error(codes.Code(number(data)), "as asked")
	case "Count":
		for i := 0; i < number(data); i++ {
			if err := send([]byte(strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return nil
	}
	return status.Error(codes.Unimplemented, "no such method")
}

func serve(port string, files []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	must(err)
	secrets := insecure.NewCredentials()
	if len(files) > 0 {
		secrets, err = credentials.NewServerTLSFromFile(files[0], files[1])
		must(err)
	}
	must(grpc.NewServer(grpc.MaxRecvMsgSize(mostBytes), grpc.UnknownServiceHandler(handle), grpc.Creds(secrets)).Serve(listener))
}

type client struct{ connection *grpc.ClientConn }

func (c client) unary(ctx context.Context, name string, data []byte) error {
	var answer []byte
	err := c.connection.Invoke(ctx, "/test.Echo/"+name, &data, &answer)
	if err == nil && name == "Say" && len(answer) != len(data) {
		must(fmt.Errorf("%d bytes came back of %d", len(answer), len(data)))
	}
	return err
}

func (c client) parallel(streams, times, size int) error {
	calls := make(chan struct{}, times)
	for i := 0; i < times; i++ {
		calls <- struct{}{}
	}
	close(calls)
	var all sync.WaitGroup
	var lock sync.Mutex
	var failed error
	for i := 0; i < streams; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for range calls {
				if err := c.unary(context.Background(), "Say", make([]byte, size)); err != nil {
					lock.Lock()
					failed = err
					lock.Unlock()
				}
			}
		}()
	}
	all.Wait()
	return failed
}

// Sends so many messages and reads all answers; Chat waits for each.
func (c client) stream(name string, first []byte, messages int) error {
	stream, err := c.connection.NewStream(context.Background(),
		&grpc.StreamDesc{StreamName: name, ServerStreams: name != "Sum", ClientStreams: name != "Count"}, "/test.Echo/"+name)
	must(err)
	var answer []byte
	if name == "Count" {
		must(stream.SendMsg(&first))
	} else {
		for i := 0; i < messages; i++ {
			must(stream.SendMsg(&first))
			if name == "Chat" {
				must(stream.RecvMsg(&answer))
			}
		}
	}
	must(stream.CloseSend())
	for {
		if err := stream.RecvMsg(&answer); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if name == "Sum" {
			return nil
		}
	}
}

func (c client) run(words []string) error {
	argument := func(index int) int {
		if index >= len(words) {
			return 0
		}
		return number([]byte(words[index]))
	}
	text := []byte(strconv.Itoa(argument(1)))
	forever := context.Background()
	after := time.Duration(argument(1)) * time.Millisecond
	switch words[0] {
	case "say":
		for i := 0; i < argument(2); i++ {
			if err := c.unary(forever, "Say", make([]byte, argument(1))); err != nil {
				return err
			}
		}
		return nil
	case "parallel":
		return c.parallel(argument(1), argument(2), argument(3))
	case "slow":
		return c.unary(forever, "Slow", text)
	case "fail":
		return c.unary(forever, "Fail", text)
	case "missing":
		return c.unary(forever, "Nothing", nil)
	case "deadline":
		limited, cancel := context.WithTimeout(forever, after)
		defer cancel()
		return c.unary(limited, "Slow", []byte("5000"))
	case "cancel":
		limited, cancel := context.WithCancel(forever)
		time.AfterFunc(after, cancel)
		return c.unary(limited, "Slow", []byte("5000"))
	case "count":
		return c.stream("Count", text, 0)
	case "sum":
		return c.stream("Sum", []byte("abc"), argument(1))
	case "chat":
		return c.stream("Chat", []byte("abc"), argument(1))
	}
	return fmt.Errorf("no such command: %v", words)
}

func ask(port string, files []string) {
	secrets := insecure.NewCredentials()
	if len(files) > 0 {
		var err error
		secrets, err = credentials.NewClientTLSFromFile(files[0], "shop.test")
		must(err)
	}
	connection, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(secrets),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostBytes)))
	must(err)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println(int(status.Code(client{connection}.run(strings.Fields(lines.Text())))))
	}
}

func main() {
	encoding.RegisterCodec(raw{})
	if len(os.Args) >= 3 && os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3:])
	} else if len(os.Args) >= 3 && os.Args[1] == "client" {
		ask(os.Args[2], os.Args[3:])
	} else {
		must(fmt.Errorf("echo server PORT [CERTIFICATE KEY] | client PORT [CERTIFICATE]"))
	}
}
