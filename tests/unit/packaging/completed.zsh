# Says what the completion offers: a line of standard input is what stands on the command line, and is answered by words, a
# line each, between two lines of ">>>" and "<<<". A zsh on a terminal of its own completes, with nothing of its owner's.
# Called with the directory that the function is in.
zmodload zsh/zpty
zpty shell zsh -f -i
typeset setup=$(mktemp)
cat >$setup <<'SETUP'
exec 2>/dev/null
PROMPT= RPROMPT=
setopt zle
unsetopt beep prompt_sp prompt_cr
autoload -Uz compinit
compinit -D -u
bindkey '^I' complete-word
bindkey '^U' kill-whole-line
zstyle ':completion:*' insert-tab false
begin() { print -r -- ">>>" }
finish() { print -r -- "<<<" }
compadd() {
    # Asked to fill an array, it offers nothing.
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    typeset -a hits
    builtin compadd -A hits "$@"
    for hit in $hits; do print -r -- "word:$hit"; done
    # Offered nothing, so that zsh writes nothing on the line.
    return $(( ! $#hits ))
}
_files() { print -r -- "word:FILES" }
# Once around each completion: the functions are used up.
again() { compprefuncs=(begin) comppostfuncs=(finish again) }
again
print -r -- ready
SETUP
zpty -w shell "fpath=($1 \$fpath); source $setup"
typeset said
while zpty -r shell said && [[ $said != ready* ]]; do :; done
rm -f $setup
while IFS= read -r line; do
    zpty -n -w shell $'\025'"$line"$'\t'
    while zpty -r shell said; do
        said=${said//$'\r'/}
        said=${said%$'\n'}
        case $said in
            *'>>>') print -r -- '>>>' ;;
            *'<<<') print -r -- '<<<'; break ;;
            *word:*) print -r -- ${said#*word:} ;;
        esac
    done
done
zpty -d shell
