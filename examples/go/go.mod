module github.com/hal9-ai/hal9/examples/go

go 1.26.0

require github.com/hal9-ai/hal9/clients/go v0.0.0

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/oapi-codegen/runtime v1.9.0 // indirect
)

// In a program of your own, leave this out and go get the client.
replace github.com/hal9-ai/hal9/clients/go => ../../clients/go
