# bash completion for hal9; made by: hal9 completion bash

_hal9_paths='
@PATHS@
'
_hal9_words='
@WORDS@
'
_hal9_values='
@VALUES@
'

_hal9() {
    local current=${COMP_WORDS[COMP_CWORD]} path=hal9 word i line
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # --flag=value comes as three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $_hal9_paths == *$'\n'"$path $word"$'\n'* ]]; then
            path="$path $word"
        fi
    done
    while IFS= read -r line; do
        if [[ -n $line && $previous == "${line%% *}" ]]; then
            COMPREPLY=($(compgen -W "${line#* }" -- "$current"))
            return
        fi
    done <<<"$_hal9_values"
    while IFS= read -r line; do
        if [[ ${line%%: *} == "$path" ]]; then
            COMPREPLY=($(compgen -W "${line#*: }" -- "$current"))
            return
        fi
    done <<<"$_hal9_words"
}

complete -o default -F _hal9 hal9
