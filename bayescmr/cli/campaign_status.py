"""``bayescmr campaign status``: how a campaign stands, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.campaign_options import STORE, JsonMode, Name, StoreUrl, opened
from bayescmr.cli.options import output_folder
from bayescmr.cli.output import print_json, say, screen
from bayescmr.errors import BayesCMRError, CampaignError

if TYPE_CHECKING:
    from bayescmr.campaign.campaign import Snapshot

_ENDINGS = (".png", ".pdf", ".svg")


def status_command(
    name: Name,
    store: StoreUrl = STORE,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw the interval against the FLOPs: .png, .pdf, .svg."
        ),
    ] = None,
    json_mode: JsonMode = False,
) -> None:
    """Say how a campaign stands: interval, decision, spend, forecast, what is under way, and why.

    Changes nothing; a controller may be at work.

    [bold]Examples[/bold]

      bayescmr campaign status legal

      bayescmr campaign status legal --json > status.json

      bayescmr campaign status legal --plot progress.png
    """
    if plot is not None:
        if plot.suffix not in _ENDINGS:
            raise BayesCMRError(
                f"--plot: got {str(plot)!r}, expected a file name ending in {', '.join(_ENDINGS)}"
            )
        output_folder(plot.parent, "--plot")
    with opened(store, name) as campaign:
        from bayescmr.cli.campaign_view import Standing, screen_of, status_dict

        standing = Standing.of(campaign)
    if json_mode:
        print_json(status_dict(standing))
    else:
        screen().print(screen_of(standing))
    if plot is not None:
        draw(standing.snapshot, plot, standing.config.prob)
        say(f"wrote {plot}")


def draw(snapshot: Snapshot, path: Path, prob: float) -> None:
    """Write the figure of a campaign's progress.

    Raises
    ------
    CampaignError
        There is no fit yet.
    """
    progress = snapshot.progress()
    if progress.empty:
        raise CampaignError(
            f"campaign {snapshot.name}: --plot: there is no fit yet, so nothing can be drawn; wait"
            " for the first runs"
        )
    from bayescmr.atomic import whole_file
    from bayescmr.report.progress import campaign_progress, plot_progress

    figure = plot_progress(campaign_progress(progress), prob=prob).get_figure(root=True)
    assert figure is not None
    with whole_file(path) as partial:
        figure.savefig(partial, format=path.suffix[1:], dpi=150, bbox_inches="tight")
