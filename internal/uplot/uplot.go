// Package uplot holds uPlot 1.6, which draws plots in browsers, for the pages of the
// service and of the load test. See LICENSE.
package uplot

import _ "embed" // the files below

// JS is the library as a script that sets uPlot, CSS its stylesheet, and License under
// what terms it comes.
var (
	//go:embed uPlot.iife.min.js
	JS string
	//go:embed uPlot.min.css
	CSS string
	//go:embed LICENSE
	License string
)
