"""`slim completion SHELL`."""

from __future__ import annotations

import click

_VARIABLE = "_SLIM_COMPLETE"
"""Under this name click's own machinery is asked for completions, as `slim` is started again."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a SHELL; it completes verbs, options and files.

    \b
    bash   slim completion bash > ~/.local/share/bash-completion/completions/slim
    zsh    slim completion zsh > DIR/_slim, where DIR is in fpath
    fish   slim completion fish > ~/.config/fish/completions/slim.fish
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from slimpy.cli import program

    kind = get_completion_class(shell)
    assert kind is not None
    # Bash's own `source` would start bash, to warn of versions older than the year 2016.
    click.echo(ShellComplete.source(kind(program, {}, "slim", _VARIABLE)))
