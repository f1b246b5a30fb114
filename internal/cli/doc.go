// Package cli makes a command line of structs and their tags.
//
// A command is a struct. Its fields are its flags, its arguments and the commands below
// it; embedded structs lend it theirs. The tags:
//
//	cmd:""            a field that is a command; its name is the field's in-kebab-case
//	default:"withargs" the command that is meant where the words name none beside it
//	arg:""            an argument; a slice takes all that are left
//	optional:""       an argument that may be left out
//	name:"token-ttl"  another name than that of the field
//	help:"…"          what it is
//	placeholder:"URL" what the help shows for a flag's value
//	default:"30s"     the value of what is not given
//	enum:"a,b"        the values that it takes
//	sep:"none"        a slice whose values may hold commas: each flag is one value
//	required:""       a flag that must be given
//	xor:"mode"        of the flags with the same word one may be given
//	hidden:""         works, and is not shown
//
// Fields may be strings, booleans, integers, durations, pointers to these (nil if not
// given) and slices of strings. What is below the names is github.com/spf13/pflag.
//
// No method is looked up by its name: a program that does so keeps every exported method
// of every type in it, which had made this one twice as large. A command's Help is found
// by the interface [Detailed], its flags that are no fields by [Flagged], and what runs it
// is for the caller to ask of [Command.Target].
//
// A tree is made once for a command line, and is not for concurrent use.
package cli
