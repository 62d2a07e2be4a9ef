// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// web serve PORT: test.Echo/Say, test.Echo/Count and test.Echo/Fail in every protocol of Connect, over HTTP/1.1 and h2c;
// "ready" when it listens.
// web ask PORT web|connect|grpc 1|2 METHOD...: calls them one after the other; the code of each.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type text = wrapperspb.StringValue

func say(_ context.Context, asked *connect.Request[text]) (*connect.Response[text], error) {
	return connect.NewResponse(asked.Msg), nil
}

func count(_ context.Context, asked *connect.Request[text], stream *connect.ServerStream[text]) error {
	for i := 0; i < 3; i++ {
		if err := stream.Send(asked.Msg); err != nil {
			return err
		}
	}
	return nil
}

func fail(context.Context, *connect.Request[text]) (*connect.Response[text], error) {
	return nil, connect.NewError(connect.CodeNotFound, errors.New("nothing there"))
}

func serve(port string) error {
	mux := http.NewServeMux()
	mux.Handle("/test.Echo/Say", connect.NewUnaryHandler("/test.Echo/Say", say))
	mux.Handle("/test.Echo/Count", connect.NewServerStreamHandler("/test.Echo/Count", count))
	mux.Handle("/test.Echo/Fail", connect.NewUnaryHandler("/test.Echo/Fail", fail))
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return http.Serve(listener, h2c.NewHandler(mux, &http2.Server{}))
}

func client(version string) *http.Client {
	if version == "1" {
		return http.DefaultClient
	}
	dial := func(_ context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
		return net.Dial(network, address)
	}
	return &http.Client{Transport: &http2.Transport{AllowHTTP: true, DialTLSContext: dial}}
}

func options(protocol string) []connect.ClientOption {
	switch protocol {
	case "web":
		return []connect.ClientOption{connect.WithGRPCWeb()}
	case "grpc":
		return []connect.ClientOption{connect.WithGRPC()}
	}
	return nil
}

func call(asking *connect.Client[text, text], method string) error {
	asked := connect.NewRequest(wrapperspb.String("words"))
	if method != "Count" {
		_, err := asking.CallUnary(context.Background(), asked)
		return err
	}
	stream, err := asking.CallServerStream(context.Background(), asked)
	if err != nil {
		return err
	}
	for stream.Receive() {
	}
	return stream.Err()
}

func ask(port, protocol, version string, methods []string) {
	talking := client(version)
	for _, method := range methods {
		asking := connect.NewClient[text, text](talking, "http://127.0.0.1:"+port+"/test.Echo/"+method, options(protocol)...)
		if err := call(asking, method); err != nil {
			fmt.Println(connect.CodeOf(err))
		} else {
			fmt.Println("ok")
		}
	}
}

func main() {
	if os.Args[1] == "ask" {
		ask(os.Args[2], os.Args[3], os.Args[4], os.Args[5:])
	} else if err := serve(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
