# fish completion for hal9; made by: hal9 completion fish

set -g __hal9_paths '
@PATHS@
'
set -g __hal9_words '
@WORDS@
'
set -g __hal9_values '
@VALUES@
'

function __hal9_at
    set -l at hal9
    for token in (commandline -opc)[2..]
        if contains -- "$at $token" (string split \n -- $__hal9_paths)
            set at "$at $token"
        end
    end
    echo $at
end

# Succeeds where no file can follow: where a command is to, or one of a flag's words.
function __hal9_no_files
    set -l last (commandline -opc)[-1]
    if string match -q -- '--*' $last
        string match -q -- "$last *" (string split \n -- $__hal9_values)
    else
        string match -q -- (__hal9_at)' *' (string split \n -- $__hal9_paths)
    end
end

function __hal9_complete
    set -l tokens (commandline -opc)
    set -l at (__hal9_at)
    for line in (string split \n -- $__hal9_values)
        set -l parts (string split ' ' -- $line)
        if test -n "$line"; and test "$tokens[-1]" = "$parts[1]"
            printf '%s\n' $parts[2..]
            return
        end
    end
    for line in (string split \n -- $__hal9_words)
        if string match -q -- "$at: *" $line
            printf '%s\n' (string split ' ' -- (string replace -- "$at: " '' $line))
        end
    end
end

complete -c hal9 -n __hal9_no_files -f
complete -c hal9 -a '(__hal9_complete)'
