// Hello is bare gin that answers a fixed JSON object: hello 127.0.0.1:8091.
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/bench/baseline"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: hello 127.0.0.1:8091")
		os.Exit(2)
	}
	engine := baseline.Engine()
	hello := func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"message": "hello"}) }
	engine.GET("/hello", hello)
	engine.POST("/hello", hello)
	if err := baseline.Serve(os.Args[1], engine); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}
