"""The page that a technician takes along: what is wrong, antenna by antenna, tag by tag. One HTML file."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from calibration.antenna.drawing import colours, draw_maps, ordered_tags, rate_map
from calibration.errors import CalibrationError
from calibration.store_plan import StorePlan
from rfid_reader.antenna_calibration import LEAST_RATE_HZ, AntennaCalibration
from rfid_reader.expected_flips import expected_of

MAX_TAG_ROWS = 1000
GOOD_RATE_HZ = 4.0
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; }
body { max-width: 1180px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 24px; margin-bottom: 4px; } h2 { font-size: 18px; margin-top: 32px; }
table { border-collapse: collapse; } th, td { padding: 3px 10px; border: 1px solid #ddd; text-align: right; }
th { background: #f4f4f4; } td.name, th.name { text-align: left; font-family: ui-monospace, monospace; }
.todo { border-left: 5px solid #d9534f; background: #fdf3f2; padding: 6px 12px; margin: 8px 0; }
.fine { border-left: 5px solid #5cb85c; background: #f2faf2; padding: 6px 12px; margin: 8px 0; }
.hint { color: #666; } img { max-width: 100%; border: 1px solid #ddd; }
@media print { .todo, .fine { break-inside: avoid; } }
"""


def png_of(image: npt.NDArray[Any]) -> bytes:
    """A picture as PNG bytes. Raises CalibrationError where OpenCV cannot encode it."""
    encoded, data = cv2.imencode(".png", image)
    if not encoded:
        raise CalibrationError("the picture of the report could not be encoded")
    return bytes(data)


def _css(bgr: npt.NDArray[np.uint8]) -> str:
    blue, green, red = bgr.tolist()
    return f"rgb({red},{green},{blue})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Cells are ready HTML; the first column is a name."""
    first, *others = head
    top = f'<th class="name">{first}</th>' + "".join(f"<th>{cell}</th>" for cell in others)
    body = "".join(f'<tr><td class="name">{row[0]}</td>' + "".join(row[1:]) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _cell(text: str, colour: str = "") -> str:
    return f'<td style="background:{colour}">{text}</td>' if colour else f"<td>{text}</td>"


def _findings(findings: list[str]) -> str:
    if not findings:
        return '<p class="fine">Nothing to mend: every antenna hears its tags, and often enough.</p>'
    return "".join(f'<p class="todo">{escape(finding)}</p>' for finding in findings)


def _antennas(calibration: AntennaCalibration) -> str:
    rows = []
    for one in calibration.antennas:
        noise = "unknown" if one.phase_noise_rad is None else f"{one.phase_noise_rad:.3f}"
        best = sum(antenna == one.antenna for antenna in calibration.strongest.values())
        rows.append(
            [
                str(one.antenna),
                *(
                    _cell(text)
                    for text in (
                        f"{one.reads_per_s:.1f}",
                        str(one.tags),
                        str(best),
                        f"{one.rssi_dbm:.1f}",
                        noise,
                    )
                ),
            ]
        )
    head = ["antenna", "reads/s", "tags heard", "heard best here", "median RSSI dBm", "phase noise rad"]
    return _table(head, rows)


def _noise_of(calibration: AntennaCalibration, epc: str) -> tuple[float, float, float]:
    """RSSI in dBm, phase noise in rad and RSSI noise in dB at the antenna that hears the tag best."""
    cells = [cell for cell in calibration.cells[epc] if cell.antenna == calibration.strongest[epc]]
    weight = np.array([cell.reads for cell in cells], float)
    columns = np.array([(cell.rssi_dbm, cell.phase_noise_rad, cell.rssi_noise_db) for cell in cells])
    rssi_dbm, phase_rad, rssi_db = (weight @ columns / weight.sum()).tolist()
    return rssi_dbm, phase_rad, rssi_db


def _tags(calibration: AntennaCalibration, plan: StorePlan) -> str:
    epcs = ordered_tags(calibration)
    place_of = {
        epc: f"{escape(rack)} {place}"
        for rack, hung in calibration.racks.items()
        for place, epc in enumerate(hung, start=1)
    }
    rates = rate_map(calibration, epcs)
    painted = colours(np.where(rates > 0, rates, np.nan), GOOD_RATE_HZ, 0.0)
    rows = []
    for row, epc in enumerate(epcs[:MAX_TAG_ROWS]):
        rssi_dbm, phase_rad, rssi_db = _noise_of(calibration, epc)
        heard = [
            _cell(f"{rate:.1f}" if rate else "", _css(painted[row, column]) if rate else "")
            for column, rate in enumerate(rates[row].tolist())
        ]
        where = place_of.get(epc) or escape(plan.rack_of.get(epc, ""))
        facts = [
            where,
            escape(plan.sku_of.get(epc, "")),
            f"{rssi_dbm:.1f}",
            f"{phase_rad:.3f}",
            f"{rssi_db:.2f}",
        ]
        rows.append([escape(epc), *map(_cell, facts[:2]), *heard, *map(_cell, facts[2:])])
    head = ["EPC", "rack, place", "article"]
    head += [f"antenna {summary.antenna} reads/s" for summary in calibration.antennas]
    head += ["RSSI dBm", "phase noise rad", "RSSI noise dB"]
    more = len(epcs) - MAX_TAG_ROWS
    note = f'<p class="hint">{more} more tags are in the calibration file.</p>' if more > 0 else ""
    return _table(head, rows) + note


def _racks(calibration: AntennaCalibration) -> str:
    if not calibration.racks:
        return (
            '<p class="hint">Not learned yet: record while every garment is turned once, left to right, and '
            "give the recording with --order.</p>"
        )
    rows = [
        [escape(rack), _cell(" ".join(f"…{escape(epc[-6:])}" for epc in epcs))]
        for rack, epcs in calibration.racks.items()
    ]
    return _table(["rack", "garments from left to right"], rows)


def _trial(calibration: AntennaCalibration) -> str:
    trial = calibration.trial
    if trial is None:
        return (
            '<p class="hint">Not tried yet: <code>tagsight calibrate flips</code> has ten garments turned '
            "and sets the threshold of this store.</p>"
        )
    rate = f"{trial.false_alarms / trial.tag_hours:.2f}" if trial.tag_hours else "unknown"
    return (
        f"<p>{trial.found} of {trial.turned} turned garments were found at threshold {trial.threshold:g}; "
        f"{trial.false_alarms} false alarms in {trial.tag_hours:.2f} tag-hours ({rate} a tag-hour).</p>"
    )


def _expected(calibration: AntennaCalibration) -> str:
    expected = expected_of(calibration)
    return "" if expected is None else f'<p class="hint">From reads and levels: {expected.sentence}.</p>'


def html_of(calibration: AntennaCalibration, title: str, plan: StorePlan, findings: list[str]) -> str:
    """The whole page; `findings` are what is to be mended, `plan` names racks and articles where known."""
    seldom = sum(rate < LEAST_RATE_HZ for rate in calibration.rates.values())
    seconds = f"{calibration.duration_s:.0f} s"
    picture = base64.b64encode(png_of(draw_maps(calibration, GOOD_RATE_HZ))).decode()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="hint">{len(calibration.rates)} tags on {len(calibration.antennas)} antennas, {seconds} of
a quiet store, {seldom} tags read too seldom for flips to be seen.</p>
{_expected(calibration)}
<h2>What to do</h2>{_findings(findings)}
<h2>Antennas</h2>{_antennas(calibration)}
<h2>Maps</h2>
<p class="hint">Green is good. A tag should be green at one antenna at least; grey means not heard.</p>
<img alt="read rate by tag and antenna, noise by channel" src="data:image/png;base64,{picture}">
<h2>Order on the racks</h2>{_racks(calibration)}
<h2>Garments turned on request</h2>{_trial(calibration)}
<h2>Tags</h2>{_tags(calibration, plan)}
</body></html>
"""
