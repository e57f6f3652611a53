"""The pages as text: templates that escape everything and need neither scripts nor other sites."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from airgap.bundle.delivery import Names
from airgap.bundle.journal import ImportEntry
from airgap.bundle.ledger import ChannelStatus
from airgap.daemon.records import Outcome, Run
from airgap.daemon.status import Status, to_carry
from airgap.operations.sizes import counted, human_age, human_ahead, human_size, human_span

_SAID = {
    "begun": "It has begun; this page follows it.",
    "running": "It is running already.",
}
_REFRESH_SECONDS = 5


class Pages:
    """Renders the pages.

    Args:
        zone: whose times they show.
        can_act: whether something can be started from them.
    """

    def __init__(self, zone: ZoneInfo, *, can_act: bool) -> None:
        self._zone = zone
        self._can_act = can_act
        self._environment = Environment(
            loader=PackageLoader("airgap.daemon"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            size=human_size,
            span=human_span,
            counted=counted,
            time=self._time,
            tone=_tone,
            to_carry=to_carry,
        )

    def overview(self, status: Status, said: str = "") -> str:
        """Return the page that shows how everything stands."""
        running = [line for line in status.lines if line.activity is not None]
        return self._render(
            "overview.html",
            status=status,
            running=running,
            said=_SAID.get(said, ""),
            refresh=_REFRESH_SECONDS if running else None,
            can_act=self._can_act,
        )

    def run(self, run: Run) -> str:
        """Return the page of one run."""
        refresh = _REFRESH_SECONDS if run.outcome is Outcome.RUNNING else None
        return self._render("run.html", run=run, report=run.report, refresh=refresh)

    def channel(
        self, name: str, sending: ChannelStatus, names: Names, entries: Sequence[ImportEntry]
    ) -> str:
        """Return the page of one channel.

        Args:
            name: the channel.
            sending: its bundles that were exported.
            names: what its newest one says.
            entries: imports of its bundles, oldest first.
        """
        return self._render(
            "channel.html",
            name=name,
            sending=sending,
            names=names,
            entries=list(reversed(entries)),
            refresh=None,
        )

    def style(self) -> str:
        """Return how the pages look."""
        folder = resources.files("airgap.daemon").joinpath("templates")
        return folder.joinpath("style.css").read_text("utf-8")

    def _render(self, template: str, **values: object) -> str:
        return self._environment.get_template(template).render(
            zone=str(self._zone), now=datetime.now(UTC), **values
        )

    def _time(self, value: datetime | float | None, now: datetime | None = None) -> Markup:
        """Return a time as the page shows it, and how far off it is where ``now`` is given."""
        if value is None:
            return Markup("<span class=quiet>never</span>")
        moment = datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value
        local = moment.astimezone(self._zone)
        shown = Markup('<time datetime="{}">{}</time>').format(
            moment.astimezone(UTC).isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M:%S}"
        )
        if now is None:
            return shown
        far = human_ahead(moment - now) if moment > now else human_age(now - moment)
        return shown + Markup(" <span class=quiet>{}</span>").format(far)


def _tone(outcome: Outcome) -> str:
    """Return the class that says in colour what the words say as well."""
    if outcome.is_good:
        return "good"
    return "bad" if outcome.is_bad else "mid"
