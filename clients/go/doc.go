// Package hal9 is a client of the HAL9 data service.
//
// Every operation of the service is a method of [Client], generated from its OpenAPI
// document: SignalSendWithResponse, NeuronGetWithResponse and so on, with types in the
// package api. This package adds what a program needs around them: failures are a
// [*Problem], what may be repeated is repeated, credentials are renewed, lists come page
// by page, and streams of signals go on where they broke off.
//
//	client, err := hal9.New("http://localhost:8080", hal9.WithAPIKey(key))
//	…
//	sent, err := client.SignalSendWithResponse(ctx, nil, api.ContractSignal{Content: "plan the day", Layer: "L4"})
//	if err != nil {
//		return err // a *hal9.Problem if the service answered
//	}
//	fmt.Println(sent.JSON200.Data.SignalID)
//
// A Client is safe for concurrent use and starts no goroutine that outlives a call.
package hal9
