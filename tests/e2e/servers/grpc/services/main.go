// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0

// services server PORT | client PORT: grpc-go's own services, health and reflection, on a server that sends every
// connection away (GOAWAY) when it is half a second old. The client does what each line says and answers how often:
//
//	health CALLS     Check, one after the other
//	reflect          the services' names, over a stream
//	metadata BYTES   a Check with a header of that size
//	age MILLISECONDS Checks for so long, whatever connection they go over
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(port string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	must(err)
	age := keepalive.ServerParameters{MaxConnectionAge: 500 * time.Millisecond, MaxConnectionAgeGrace: 5 * time.Second}
	server := grpc.NewServer(grpc.KeepaliveParams(age))
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	must(server.Serve(listener))
}

func check(ctx context.Context, connection *grpc.ClientConn) {
	answer, err := healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{})
	must(err)
	if answer.Status != healthpb.HealthCheckResponse_SERVING {
		must(fmt.Errorf("status %v", answer.Status))
	}
}

func reflect(connection *grpc.ClientConn) int {
	stream, err := reflectionpb.NewServerReflectionClient(connection).ServerReflectionInfo(context.Background())
	must(err)
	list := &reflectionpb.ServerReflectionRequest_ListServices{}
	must(stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: list}))
	answer, err := stream.Recv()
	must(err)
	must(stream.CloseSend())
	_, _ = stream.Recv() // its end
	return len(answer.GetListServicesResponse().Service)
}

func run(connection *grpc.ClientConn, words []string) int {
	number := 0
	if len(words) > 1 {
		value, err := strconv.Atoi(words[1])
		must(err)
		number = value
	}
	ctx := context.Background()
	switch words[0] {
	case "health":
		for i := 0; i < number; i++ {
			check(ctx, connection)
		}
		return number
	case "reflect":
		return reflect(connection)
	case "metadata":
		check(metadata.AppendToOutgoingContext(ctx, "x-long", strings.Repeat("n", number)), connection)
		return 1
	case "age":
		calls := 0
		for end := time.Now().Add(time.Duration(number) * time.Millisecond); time.Now().Before(end); calls++ {
			check(ctx, connection)
			time.Sleep(time.Millisecond)
		}
		return calls
	}
	must(fmt.Errorf("no such command: %s", words[0]))
	return 0
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "server" {
		serve(os.Args[2])
	}
	connection, err := grpc.NewClient("127.0.0.1:"+os.Args[2], grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(run(connection, strings.Fields(lines.Text())))
	}
}
