#compdef hal9
# zsh completion for hal9; made by: hal9 completion zsh

_hal9() {
    local paths='
@PATHS@
' all='
@WORDS@
' values='
@VALUES@
'
    local at=hal9 word line
    for word in ${words[2,CURRENT-1]}; do
        [[ $paths == *$'\n'"$at $word"$'\n'* ]] && at="$at $word"
    done
    for line in ${(f)values}; do
        if [[ -n $line && ${words[CURRENT-1]} == ${line%% *} ]]; then
            compadd -- ${(s: :)line#* }
            return
        fi
    done
    for line in ${(f)all}; do
        if [[ ${line%%: *} == $at ]]; then
            compadd -- ${(s: :)line#*: }
        fi
    done
    # Where a command is to follow, no file can.
    if [[ $paths != *$'\n'"$at "* || ${words[CURRENT-1]} == --* ]]; then
        _files
    fi
}

if [[ ${funcstack[1]} == _hal9 ]]; then
    _hal9 "$@"
else
    compdef _hal9 hal9
fi
