package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The plot: for each growing thing one panel, sizes and medians both logarithmic, so
// that a flat line is what stays and a slope of one what grows with the size.
const (
	panelWidth, panelHeight = 360, 260
	left, right, top, low   = 60, 20, 40, 60
)

type line struct {
	operation string
	points    []sample
}

func writePlot(w io.Writer, samples []sample) error {
	panels, names := map[string][]*line{}, []string{}
	for _, s := range samples {
		if panels[s.series] == nil {
			names = append(names, s.series)
		}
		lines := panels[s.series]
		if len(lines) == 0 || !hasLine(lines, s.operation) {
			lines = append(lines, &line{operation: s.operation})
		}
		for _, l := range lines {
			if l.operation == s.operation {
				l.points = append(l.points, s)
			}
		}
		panels[s.series] = lines
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n"+
		`<rect width="100%%" height="100%%" fill="white"/>`+"\n", panelWidth*len(names), panelHeight+60)
	for i, name := range names {
		writePanel(&out, i*panelWidth, name, panels[name])
	}
	out.WriteString("</svg>\n")
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}

func hasLine(lines []*line, operation string) bool {
	for _, l := range lines {
		if l.operation == operation {
			return true
		}
	}
	return false
}

func writePanel(out *strings.Builder, x0 int, name string, lines []*line) {
	colours := []string{"#1565c0", "#c62828", "#2e7d32"}
	least, most := math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, p := range l.points {
			least, most = min(least, float64(p.size)), max(most, float64(p.size))
		}
	}
	across := func(size int) float64 {
		if most == least {
			return float64(x0 + left)
		}
		share := (math.Log(float64(size)) - math.Log(least)) / (math.Log(most) - math.Log(least))
		return float64(x0+left) + share*float64(panelWidth-left-right)
	}
	const floor, ceiling = 1.0, 5.0 // 10 µs to 100 ms
	down := func(micros float64) float64 {
		share := (min(max(math.Log10(micros), floor), ceiling) - floor) / (ceiling - floor)
		return float64(panelHeight-low) - share*float64(panelHeight-low-top)
	}
	fmt.Fprintf(out, `<text x="%d" y="24" font-weight="bold">number of %s</text>`+"\n", x0+left, name)
	for decade := floor; decade <= ceiling; decade++ {
		y := down(math.Pow(10, decade))
		fmt.Fprintf(out, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			x0+left, y, x0+panelWidth-right, y, x0+left-6, y+4, []string{"10 µs", "100 µs", "1 ms", "10 ms", "100 ms"}[int(decade-floor)])
	}
	for i, l := range lines {
		var points []string
		for _, p := range l.points {
			x, y := across(p.size), down(float64(p.median().Nanoseconds())/1000)
			points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(out, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, colours[i%len(colours)])
			if i == 0 {
				fmt.Fprintf(out, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, panelHeight-low+18, short(p.size))
			}
		}
		fmt.Fprintf(out, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n",
			colours[i%len(colours)], strings.Join(points, " "), x0+left, panelHeight-low+38+16*i, colours[i%len(colours)], l.operation)
	}
}

// short writes 1000000 as 1M.
func short(n int) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%gM", float64(n)/1_000_000)
	case n >= 1000:
		return fmt.Sprintf("%gk", float64(n)/1000)
	default:
		return strconv.Itoa(n)
	}
}
