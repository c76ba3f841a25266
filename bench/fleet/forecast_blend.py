"""`tagsight bench forecast --net`: the published net, its ablation, and its blend with the trees."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.fleet.forecast_scores import Off, off, summed
from fleet.forecast.blend import NET_SHARE, blended
from fleet.forecast.boosted import Boosted, Settings
from fleet.forecast.calendar import KnownDays
from fleet.forecast.models import ForecastModel, Median
from fleet.forecast.series import DAY, Floats, Panel
from fleet.forecast.wide_deep import NetRecipe, WideDeep

SHARES = (0.25, 0.5, 0.75)
"""Of the net in a blend, on log1p."""


def ablation(steps: int) -> dict[str, NetRecipe]:
    """The published steps, each with the ones before it."""
    plain = NetRecipe("none", residual=False, averaged=False, holidays=False, steps=steps)
    cut = plain._replace(fold="cut")
    dilated = plain._replace(fold="dilated")
    residual = dilated._replace(residual=True)
    averaged = residual._replace(averaged=True)
    return {
        "plain LSTM of 672 hours": plain,
        "cut to 168": cut,
        "dilated, 672 x 1 to 168 x 4": dilated,
        "and the residual on the usual week": residual,
        "and averaged weights": averaged,
        "and holidays (ours)": averaged._replace(holidays=True),
    }


def compared(
    panel: Panel,
    calendar: KnownDays,
    begins: tuple[str, ...],
    days: int,
    settings: Settings,
    steps: tuple[int, int],
    is_judged: bool,
    told: Callable[[str, dict[str, Any]], None],
) -> None:
    """`steps`: of the net that is blended, and of each in the ablation, which has the last beginning only.

    `is_judged`: only the blend that was chosen, and no ablation.
    """
    offs: dict[str, list[Off]] = {}
    cpu_s: dict[str, float] = {}
    for begin in begins:
        found: dict[str, Floats] = {}
        models: list[ForecastModel] = [*map(Median, (4, 8, 12)), Boosted(settings)]
        models.append(WideDeep(NetRecipe(steps=steps[0])))
        for model in models:
            begun = time.process_time()
            found[model.name] = _said(model, panel, calendar, begin, days)
            cpu_s[model.name] = cpu_s.get(model.name, 0.0) + time.process_time() - begun
        for share in (NET_SHARE,) if is_judged else SHARES:
            both = blended(found["lightgbm"], found["wide_deep"], share)
            found[f"blend, {share:g} of the net"] = both
        for name, said in found.items():
            offs.setdefault(name, []).append(_off(said, panel, calendar, begin, days))
        told(begin, {name: round(parts[-1].wape, 4) for name, parts in offs.items()})
    for name, parts in offs.items():
        told(name, {**summed(parts)._asdict(), "cpu_s": round(cpu_s.get(name, 0.0), 1)})
    if is_judged:
        return
    for name, recipe in ablation(steps[1]).items():
        begun = time.process_time()
        said = _said(WideDeep(recipe), panel, calendar, begins[-1], days)
        spent_s = round(time.process_time() - begun, 1)
        one = summed([_off(said, panel, calendar, begins[-1], days)])
        told(f"ablation: {name}", {**one._asdict(), "cpu_s": spent_s})


def _said(model: ForecastModel, panel: Panel, calendar: KnownDays, begin: str, days: int) -> Floats:
    history = panel.until(np.datetime64(begin))
    return model.fit(history, calendar, days).forecast(history, calendar, days)


def _off(said: Floats, panel: Panel, calendar: KnownDays, begin: str, days: int) -> Off:
    day = np.datetime64(begin)
    first = panel.until(day).days * DAY
    is_holiday = np.repeat(calendar.days(day, days).holiday > 0, DAY)
    return off(panel.counts[first : first + days * DAY], said, is_holiday)
