# Completion of train_models.py and realtime_predictor.py for bash: put "source /path/to/completions/stockml.bash" into
# ~/.bashrc. The options are asked of the command itself, once a shell, so that they are always those it has.

declare -gA _stockml_options

_stockml() {
    local command=$1 current=${COMP_WORDS[COMP_CWORD]} word at option=""
    COMPREPLY=()
    for ((at = COMP_CWORD - 1; at > 0; at--)); do # the option that the word belongs to
        word=${COMP_WORDS[at]}
        [[ $word == -* ]] && option=$word && break
    done
    if [[ $current == -* ]]; then
        [[ -n ${_stockml_options[$command]-} ]] ||
            _stockml_options[$command]=$("$command" --help 2>/dev/null | grep -oE -- '(^|[ [,])--?[a-z][a-z-]*' | tr -d ' [,' | sort -u)
        mapfile -t COMPREPLY < <(compgen -W "${_stockml_options[$command]}" -- "$current")
        return
    fi
    case $option in
        --symbols | --explain) mapfile -t COMPREPLY < <(compgen -W "$(_stockml_symbols "$command")" -- "$current") ;;
        --sort) mapfile -t COMPREPLY < <(compgen -W "confidence change interval edge" -- "$current") ;;
        --engine) mapfile -t COMPREPLY < <(compgen -W "auto numpy tensorflow" -- "$current") ;;
        --source) _stockml_source "$current" ;;
        --home) mapfile -t COMPREPLY < <(compgen -d -- "$current") && compopt -o filenames 2>/dev/null ;;
        --symbols-file | --log-file | --report | --openmetrics | --backup | --restore | --export) mapfile -t COMPREPLY < <(compgen -f -- "$current") && compopt -o filenames 2>/dev/null ;;
    esac
    return 0
}

# Bash takes the colon of csv:DIR for a word of its own.
_stockml_source() {
    local current=$1
    [[ $current == : ]] && current=""
    if [[ ${COMP_WORDS[COMP_CWORD]} == : || ${COMP_WORDS[COMP_CWORD - 1]} == : ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$current") && compopt -o filenames 2>/dev/null
    elif mapfile -t COMPREPLY < <(compgen -W "yahoo csv: sample" -- "$current") && [[ ${COMPREPLY[*]} == csv: ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}

# The stocks with trained models: under --home where it is named, else beside the script, or in the folder of installed commands.
_stockml_symbols() {
    local home at
    home=$(dirname "$(readlink -f "$1" || command -v "$1")")
    [[ $1 == *stockml-* ]] && home=${XDG_DATA_HOME:-$HOME/.local/share}/stockml
    home=${STOCKML_HOME:-$home}
    for ((at = 1; at < COMP_CWORD; at++)); do
        [[ ${COMP_WORDS[at]} == --home ]] && home=${COMP_WORDS[at + 1]/#\~/$HOME}
    done
    sed -nE 's/^ *"symbol": *"([^"]*)".*/\1/p' "$home"/ml_training_data/models/*/metrics.json 2>/dev/null
}

complete -F _stockml train_models.py realtime_predictor.py stockml-train stockml-predict
