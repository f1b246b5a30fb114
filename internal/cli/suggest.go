package cli

import "strings"

// suggestion returns a question that names the word nearest to one that is unknown, empty
// if none is near.
func suggestion(unknown, prefix string, known []string) string {
	best, least := "", max(1, len(unknown)/3)+1
	for _, word := range known {
		d := distance(unknown, word)
		if strings.HasPrefix(word, unknown) {
			d = min(d, 1)
		}
		if d < least {
			best, least = word, d
		}
	}
	if best == "" {
		return ""
	}
	return `, did you mean "` + prefix + best + `"?`
}

// distance counts the bytes to insert, delete, replace or swap with their neighbours until
// one word is the other (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			differ := 1
			if a[i-1] == b[j-1] {
				differ = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
