package main

import (
	"fmt"
	"net/http"
	"time"
)

func handler(w http.ResponseWriter, r *http.Request) {
	time.Sleep(100 * time.Millisecond)
	fmt.Fprintf(w, "Hello, %s!", r.URL.Path[1:])
}
func main() { http.HandleFunc("/", handler); http.ListenAndServe("127.0.0.1:8080", nil) }
