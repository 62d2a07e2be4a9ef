module upgrade

go 1.23.0

require golang.org/x/net v0.41.0

require golang.org/x/text v0.26.0 // indirect
