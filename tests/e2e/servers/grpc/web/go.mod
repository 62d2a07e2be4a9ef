module web

go 1.23.0

require (
	connectrpc.com/connect v1.18.1
	golang.org/x/net v0.41.0
	google.golang.org/protobuf v1.36.6
)

require golang.org/x/text v0.26.0 // indirect
