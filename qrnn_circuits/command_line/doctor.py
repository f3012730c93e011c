"""``qrnn doctor``: what the installation has, and what to do about what it lacks."""

from itertools import chain
from typing import Annotated

import typer
from rich.console import Console

from qrnn_circuits.command_line import diagnosis
from qrnn_circuits.command_line.plain import plain


def doctor(
    load: Annotated[
        bool, typer.Option("--load", help="Load devices and plug-ins as well, in some seconds.")
    ] = False,
) -> None:
    """Say what is installed and set up, and what to do about what is not.

    Versions, devices, plug-ins of other packages, IBM accounts without their secrets, data folder,
    recorded jobs and threads.
    Ends with exit code 1 if there is a problem.
    """
    findings = list(
        chain(
            diagnosis.packages(),
            diagnosis.devices(load=load),
            diagnosis.plug_ins(load=load),
            diagnosis.accounts(),
            diagnosis.data(),
            diagnosis.jobs(),
            diagnosis.threads(),
        )
    )
    console = Console(highlight=False)
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        console.print(plain(f"{finding.subject:{width}}  {finding.state}"), soft_wrap=True)
    problems = [finding for finding in findings if finding.way_out]
    for finding in problems:
        text = f"Problem: {finding.subject}, {finding.state}: {finding.way_out}"
        console.print(plain(text, "bold red"), soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    console.print("No problem found.")
